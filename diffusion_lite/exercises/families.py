"""Checks of chapter 7: bounds, determinants, and what a code costs."""

import math

import torch

from diffusion_lite.exercises.trial import (
    Trial,
    exercise,
    expect,
    looks_like,
    near,
    one_tensor,
)


@exercise("families-1")
def what_a_code_costs(trial: Trial) -> str:
    """Hold the divergence against a sum over a grid."""
    for D in (1, 3):
        mean, half = (trial.normal(4, D).clamp(-2, 2) for _ in range(2))
        variance = (half / 2).exp()
        got = trial.tensor(mean, variance, shape=(4,))
        z = torch.linspace(-14, 14, 8001, dtype=torch.float64)[:, None, None]
        log_q = -((z - mean) ** 2) / (2 * variance) - variance.log() / 2
        log_p = -(z**2) / 2
        q = log_q.softmax(0)
        each = (q * (log_q - log_p)).sum(0)
        want = each.sum(1)
        mistakes = {
            "twice too much, the half is missing": 2 * want,
            "a mean over the entries, not a sum": want / D,
            "the logarithm with the wrong sign": want + variance.log().sum(1),
            "the 1 forgotten": want + D / 2,
            "the variance taken for a logarithm of it": (
                mean**2 + variance.exp() - variance - 1
            ).sum(1)
            / 2,
            "the divergence the other way round": (
                (mean**2 + 1) / variance + variance.log() - 1
            ).sum(1)
            / 2,
            "the variance taken for a standard deviation": (
                mean**2 + variance**2 - 2 * variance.log() - 1
            ).sum(1)
            / 2,
        }
        expect(
            near(got, want),
            f"For codes of {D} numbers it is {want[0]:.4f} for the first, not "
            f"{got[0]:.4f}." + looks_like(got, mistakes),
        )
    nothing = trial.tensor(torch.zeros(1, 2), torch.ones(1, 2), shape=(1,))
    expect(
        near(nothing, 0.0), "A code that is N(0, I) itself must cost nothing."
    )
    return "eight codes on a grid, and one that says nothing."


@exercise("families-2")
def a_map_that_can_be_inverted(trial: Trial) -> str:
    """Hold one coupling's determinant against autograd's, and undo it."""

    def net(a: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.5 + a.sin(), a**2 - 0.5], dim=1)

    x = trial.normal(5, 2)
    result = trial.pair(x, net)
    z = one_tensor(result[0], (5, 2), "z is")
    log_det = one_tensor(result[1], (5,), "The logarithm is")
    s, r = net(x[:, :1]).T
    expect(near(z[:, 0], x[:, 0]), "The first entry must stay as it is.")
    mistakes = {
        "s and r exchanged": x[:, 1] * r.exp() + s,
        "s itself as the scale, not its exponential": x[:, 1] * s + r,
        "a shift before the scale": (x[:, 1] + r) * s.exp(),
        "the way back": (x[:, 1] - r) * (-s).exp(),
        "no shift": x[:, 1] * s.exp(),
    }
    want = x[:, 1] * s.exp() + r
    expect(
        near(z[:, 1], want),
        f"At {x[0].tolist()} the second entry becomes {float(want[0]):.4f}, "
        f"not {float(z[0, 1]):.4f}." + looks_like(z[:, 1], mistakes),
    )

    def there(point: torch.Tensor) -> torch.Tensor:
        s, r = net(point[None, :1])[0]
        return torch.stack([point[0], point[1] * s.exp() + r])

    slopes = [torch.autograd.functional.jacobian(there, p) for p in x]
    exact = torch.stack([m.det().abs().log() for m in slopes])
    mistakes = {
        "the other way round": -exact,
        "the determinant, not its logarithm": exact.exp(),
        "s and the 1 of the first entry": exact + 1,
        "nothing": torch.zeros(5),
        "the shift": r,
        "a sum over all points": torch.full((5,), float(exact.sum())),
    }
    expect(
        near(log_det, exact),
        f"At {x[0].tolist()} autograd's determinant has the logarithm "
        f"{float(exact[0]):.4f}, yours is {float(log_det[0]):.4f}."
        + looks_like(log_det, mistakes),
    )
    return "five points, against autograd."


@exercise("families-3")
def exact_or_a_bound(trial: Trial) -> str:
    """Hold the estimate against a sum of plain numbers, near and far."""
    K, B = trial.integer(5, 9), 3
    parts = [trial.normal(K, B) for _ in range(3)]
    likelihood, prior, guess = parts
    weights = likelihood + prior - guess
    want = weights.exp().mean(0).log()
    got = trial.tensor(*parts, shape=(B,))
    mistakes = {
        "the bound: average before the logarithm": weights.mean(0),
        "a sum, not a mean": want + math.log(K),
        "log K twice": want - math.log(K),
        "no guess in it": (likelihood + prior).exp().mean(0).log(),
        "no prior in it": (likelihood - guess).exp().mean(0).log(),
        "the guess added, not divided by": (likelihood + prior + guess)
        .exp()
        .mean(0)
        .log(),
        "the sign of the whole turned round": -want,
        "the largest weight alone": weights.amax(0),
    }
    expect(
        near(got, want),
        f"With {K} draws it is {want[0]:.4f} for the first x, not "
        f"{got[0]:.4f}." + looks_like(got, mistakes),
    )
    far = trial.tensor(likelihood - 3000, prior, guess, shape=(B,))
    expect(
        near(far + 3000, want, 1e-3),
        "With a likelihood 3,000 nats lower the answer must be 3,000 lower: "
        "does exp run out of numbers? logsumexp does not.",
    )
    return f"{K} draws of three points, near and 3,000 nats away."


@exercise("families-4")
def the_density_that_is_none(trial: Trial) -> str:
    """Add up a mended density over a fine grid."""
    shear, wide = trial.uniform(0.3, 0.6), trial.uniform(1.5, 2.5)

    def flow(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        s = shear * x[:, 0].tanh() + math.log(wide)
        z = torch.stack([x[:, 0], x[:, 1] * s.exp() + x[:, 0].sin()], dim=1)
        return z, s

    line = torch.linspace(-7, 7, 281, dtype=torch.float64)
    grid, cell = torch.cartesian_prod(line, line), float(line[1] - line[0])
    log_p = trial.tensor(flow, grid, shape=(len(grid),))
    mass = float(log_p.exp().sum()) * cell**2
    z, s = flow(grid)
    base = -(z**2).sum(1) / 2 - math.log(2 * math.pi)
    mistakes = {
        "the determinant with the wrong sign": base - s,
        "no determinant": base,
        "no constant, log 2 pi": base + s + math.log(2 * math.pi),
        "half of the constant, for one number and not for two": base
        + s
        + math.log(2 * math.pi) / 2,
        "the noise's density at x, not at z": -(grid**2).sum(1) / 2
        - math.log(2 * math.pi)
        + s,
        "a square without its half": -(z**2).sum(1)
        - math.log(2 * math.pi)
        + s,
        "the determinant counted twice": base + 2 * s,
    }
    expect(
        near(log_p, base + s),
        f"Added up over a fine grid your density comes to {mass:.3f}, and "
        "must come to 1 at the right places." + looks_like(log_p, mistakes),
    )
    return f"added up over {len(grid):,} places it comes to {mass:.3f}."
