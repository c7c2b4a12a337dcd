"""Checks of chapter 7: bounds, determinants, and what a code costs."""

import math
from collections.abc import Callable

import torch

from diffusion_lite.exercises.trial import (
    Trial,
    exercise,
    expect,
    finite,
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
            "the 1 taken off once, not for each entry": want + (D - 1) / 2,
            "the logarithm of a standard deviation": want
            + variance.log().sum(1) / 4,
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
        n = int((got - want).abs().argmax())
        expect(
            near(got, want),
            f"For the code with the mean {rounded(mean[n])} and the variance "
            f"{rounded(variance[n])} it is {want[n]:.4f}, not {got[n]:.4f}."
            + looks_like(got, mistakes),
        )
    nothing = trial.tensor(torch.zeros(1, 2), torch.ones(1, 2), shape=(1,))
    expect(
        near(nothing, 0.0), "A code that is N(0, I) itself must cost nothing."
    )
    return "eight codes on a grid, and one that says nothing."


def rounded(numbers: torch.Tensor) -> list[float]:
    """Return numbers to be shown."""
    return [round(x, 3) for x in numbers.tolist()]


@exercise("families-2")
def a_map_that_can_be_inverted(trial: Trial) -> str:
    """Hold one coupling's determinant and slopes against autograd's."""

    def net(a: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.5 + a.sin(), a**2 - 0.5], dim=1)

    x = trial.normal(5, 2)
    x[0, 0] = trial.uniform(-2.0, -1.0)  # s is below 0
    x[1, 0] = trial.uniform(0.5, 2.0)  # and above
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
    n = int((z[:, 1] - want).abs().argmax())
    expect(
        near(z[:, 1], want),
        f"At {rounded(x[n])}, where net says s = {s[n]:.3f} and r = "
        f"{r[n]:.3f}, the second entry becomes {want[n]:.4f}, not "
        f"{z[n, 1]:.4f}." + looks_like(z[:, 1], mistakes),
    )

    def there(point: torch.Tensor) -> torch.Tensor:
        s, r = net(point[None, :1])[0]
        return torch.stack([point[0], point[1] * s.exp() + r])

    slopes = torch.stack(
        [torch.autograd.functional.jacobian(there, p) for p in x]
    )
    exact = slopes.det().abs().log()
    mistakes = {
        "the other way round": -exact,
        "the logarithm's size, without its sign": exact.abs(),
        "the determinant, not its logarithm": exact.exp(),
        "s and the 1 of the first entry": exact + 1,
        "nothing": torch.zeros(5),
        "the shift": r,
        "a sum over all points": torch.full((5,), float(exact.sum())),
    }
    n = int((log_det - exact).abs().argmax())
    expect(
        near(log_det, exact),
        f"At {rounded(x[n])} autograd's determinant has the logarithm "
        f"{exact[n]:.4f}, yours is {log_det[n]:.4f}."
        + looks_like(log_det, mistakes),
    )
    held = x.clone().requires_grad_()
    z, log_det = trial.direct(held, net)
    told = torch.stack([x[:, 0].cos(), torch.zeros(5)], dim=1)
    for what, part, slope in (
        ("the second entry of z", z[:, 1], slopes[:, 1]),
        ("the logarithm", log_det, told),
    ):
        expect(
            is_slope(part, held, slope),
            f"The numbers are right, but {what} has another slope in x than "
            "it must have, so that net cannot learn. Is something detached?",
        )
    return "five points, and the slopes there, against autograd."


def is_slope(
    part: torch.Tensor, held: torch.Tensor, want: torch.Tensor
) -> bool:
    """Return whether what follows from a held tensor has this slope in it."""
    if not part.requires_grad:
        return False
    (slope,) = torch.autograd.grad(
        part.sum(), held, retain_graph=True, allow_unused=True
    )
    return slope is not None and near(slope, want)


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
        "log B for log K": want + math.log(K) - math.log(B),
        "a division by K behind the logarithm": (want + math.log(K)) / K,
        "no guess in it": (likelihood + prior).exp().mean(0).log(),
        "no prior in it": (likelihood - guess).exp().mean(0).log(),
        "the guess added, not divided by": (likelihood + prior + guess)
        .exp()
        .mean(0)
        .log(),
        "the sign of the whole turned round": -want,
        "the largest weight alone": weights.amax(0),
    }
    n = int((got - want).abs().argmax())
    expect(
        near(got, want),
        f"With {K} draws it is {want[n]:.4f} for x number {n}, not "
        f"{got[n]:.4f}." + looks_like(got, mistakes),
    )
    # one x far off; for the others the first or last draw, farther still
    far, weights = likelihood.clone(), weights.exp()
    far[:, 0] -= 3000
    far[0, 1] -= 30_000
    far[-1, 2] -= 30_000
    weights[0, 1] = weights[-1, 2] = 0
    want = weights.mean(0).log() - torch.tensor([3000, 0, 0])
    result = trial.call(far, prior, guess)
    expect(
        finite(result) and near(result, want, 3e-7),
        "With one x's likelihood 3,000 nats lower, and one draw of each "
        "other x 30,000 lower, it goes wrong: exp runs out of numbers. "
        "logsumexp over the draws does not.",
    )
    return f"{K} draws of three points, near and 30,000 nats away."


@exercise("families-4")
def the_density_that_is_none(trial: Trial) -> str:
    """Add up a mended density over a fine grid."""
    line = torch.linspace(-7, 7, 201, dtype=torch.float64)
    grid, cell = torch.cartesian_prod(line, line), float(line[1] - line[0])
    masses = []
    for low, high in ((0.95, 1.05), (1.5, 2.5)):
        flow = a_flow(trial.uniform(0.25, 0.35), trial.uniform(low, high))
        log_p = trial.tensor(flow, grid, shape=(len(grid),))
        mass = float(log_p.exp().sum()) * cell**2
        masses.append(f"{mass:.3f}")
        z, s = flow(grid)
        base = -(z**2).sum(1) / 2 - math.log(2 * math.pi)
        mistakes = {
            "the density, not its logarithm": (base + s).exp(),
            "a mean over the entries of z, not a sum": base / 2
            - math.log(2 * math.pi) / 2
            + s,
            "the determinant with the wrong sign": base - s,
            "no determinant": base,
            "the logarithm's size: the bars belong to the determinant": base
            + s.abs(),
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
            "must come to 1 at the right places."
            + looks_like(log_p, mistakes),
        )
    return f"added up over a fine grid, two come to {' and '.join(masses)}."


def a_flow(shear: float, wide: float) -> Callable:
    """Return a flow that stretches one entry, by about wide."""

    def flow(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        s = shear * x[:, 0].tanh() + math.log(wide)
        z = torch.stack([x[:, 0], x[:, 1] * s.exp() + x[:, 0].sin()], dim=1)
        return z, s

    return flow
