"""Checks of chapter 7: bounds, determinants, and what a code costs."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from diffusion_lite.exercises.trial import (
    Trial,
    exercise,
    expect,
    finite,
    near,
    one_tensor,
    worst,
)


@exercise("families-1")
def what_a_code_costs(trial: Trial) -> str:
    """Hold the divergence against a sum over a grid."""
    for D in (1, 3):
        mean, half = (trial.normal(4, D).clamp(-2, 2) for _ in range(2))
        given = mean, (half / 2).exp()
        got = trial.tensor(*given, shape=(4,))
        want = divergence_on_a_grid(*given)
        at = [rounded(each[worst(got, want)]) for each in given]
        trial.agrees(
            got,
            want,
            f"For the code with the mean {at[0]} and the variance {at[1]} "
            "the divergence is wrong",
            lambda mistake, given=given: mistake(*given),
        )
    nothing = trial.tensor(torch.zeros(1, 2), torch.ones(1, 2), shape=(1,))
    expect(
        near(nothing, 0.0), "A code that is N(0, I) itself must cost nothing."
    )
    return "eight codes on a grid, and one that says nothing."


def divergence_on_a_grid(mean: Tensor, variance: Tensor) -> Tensor:
    """Return the divergence of codes (B, D) from N(0, I), (B,)."""
    z = torch.linspace(-14, 14, 8001, dtype=torch.float64)[:, None, None]
    log_q = -((z - mean) ** 2) / (2 * variance) - variance.log() / 2
    return (log_q.softmax(0) * (log_q + z**2 / 2)).sum((0, 2))


def rounded(numbers: Tensor) -> list[float]:
    """Return numbers to be shown."""
    return [round(x, 3) for x in numbers.tolist()]


@exercise("families-2")
def a_map_that_can_be_inverted(trial: Trial) -> str:
    """Hold one coupling's determinant and slopes against autograd's."""
    x = trial.normal(5, 2)
    x[0, 0] = trial.uniform(-2.0, -1.0)  # s is below 0
    x[1, 0] = trial.uniform(0.5, 2.0)  # and above
    pair = trial.pair(x, net)
    z = one_tensor(pair[0], (5, 2), "z is")
    log_det = one_tensor(pair[1], (5,), "The logarithm is")
    expect(near(z[:, 0], x[:, 0]), "The first entry must stay as it is.")
    slopes = torch.stack(
        [torch.autograd.functional.jacobian(coupled, point) for point in x]
    )
    for what, got, want, made in (
        (
            "the second entry",
            z[:, 1],
            torch.stack([coupled(point)[1] for point in x]),
            lambda mistake: mistake(x, net)[0][:, 1],
        ),
        (
            "the logarithm of autograd's determinant",
            log_det,
            slopes.det().abs().log(),
            lambda mistake: mistake(x, net)[1],
        ),
    ):
        n = worst(got, want)
        s, r = rounded(net(x[n, None, :1])[0])
        where = f"At {rounded(x[n])}, where net says s = {s} and r = {r}, "
        trial.agrees(got, want, f"{where}{what} is wrong", made)
    net_can_learn(trial, x, slopes[:, 1])
    return "five points, and the slopes there, against autograd."


def net(a: Tensor) -> Tensor:
    """Return s and r, (B, 2), for the first entries, (B, 1)."""
    return torch.cat([0.5 + a.sin(), a**2 - 0.5], dim=1)


def coupled(point: Tensor) -> Tensor:
    """Return where one point (2,) is mapped to."""
    s, r = net(point[None, :1])[0]
    return torch.stack([point[0], point[1] * s.exp() + r])


def net_can_learn(trial: Trial, x: Tensor, of_second: Tensor) -> None:
    """Refuse a coupling whose slopes in x, (5, 2), are not those it has."""
    held = x.clone().requires_grad_()
    z, log_det = trial.direct(held, net)
    of_log_det = torch.stack([x[:, 0].cos(), torch.zeros(5)], dim=1)
    for what, part, slope in (
        ("the second entry of z", z[:, 1], of_second),
        ("the logarithm", log_det, of_log_det),
    ):
        expect(
            is_slope(part, held, slope),
            f"The numbers are right, but {what} has another slope in x than "
            "it must have, so that net cannot learn. Is something detached?",
        )


def is_slope(part: object, held: Tensor, want: Tensor) -> bool:
    """Return whether what follows from a held tensor has this slope in it."""
    if not isinstance(part, Tensor) or not part.requires_grad:
        return False
    (slope,) = torch.autograd.grad(
        part.sum(), held, retain_graph=True, allow_unused=True
    )
    return slope is not None and near(slope, want)


@exercise("families-3")
def exact_or_a_bound(trial: Trial) -> str:
    """Hold the estimate against a sum of plain numbers, near and far."""
    K, B = trial.integer(5, 9), 3
    given = likelihood, prior, guess = [trial.normal(K, B) for _ in range(3)]
    weights = (likelihood + prior - guess).exp()
    got, want = trial.tensor(*given, shape=(B,)), weights.mean(0).log()
    trial.agrees(
        got,
        want,
        f"With {K} samples log p(x) of x number {worst(got, want)} is wrong",
        lambda mistake: mistake(*given),
    )
    # one x far off; for the others the first or last sample, farther still
    far = likelihood.clone()
    far[:, 0] -= 3000
    far[0, 1] -= 30_000
    far[-1, 2] -= 30_000
    weights[0, 1] = weights[-1, 2] = 0
    want = weights.mean(0).log() - torch.tensor([3000, 0, 0])
    result = trial.call(far, prior, guess)
    expect(
        finite(result) and near(result, want, 3e-7),
        "With one x's likelihood 3,000 nats lower, and one sample of each "
        "other x 30,000 lower, it goes wrong: exp runs out of numbers. "
        "logsumexp over the samples does not.",
    )
    return f"{K} samples for each of three x, near and 30,000 nats away."


@exercise("families-4")
def the_density_that_is_none(trial: Trial) -> str:
    """Add up a mended density over a fine grid."""
    line = torch.linspace(-7, 7, 201, dtype=torch.float64)
    grid, cell = torch.cartesian_prod(line, line), float(line[1] - line[0])
    masses = []
    for low, high in ((0.95, 1.05), (1.5, 2.5)):
        flow = a_flow(trial.uniform(0.25, 0.35), trial.uniform(low, high))
        log_p = trial.tensor(flow, grid, shape=(len(grid),))
        masses.append(f"{float(log_p.exp().sum()) * cell**2:.3f}")
        z, s = flow(grid)
        want = -(z**2).sum(1) / 2 - math.log(2 * math.pi) + s
        trial.agrees(
            log_p,
            want,
            f"Added up over a fine grid your density comes to {masses[-1]}, "
            "and must come to 1 at the right places; at "
            f"{rounded(grid[worst(log_p, want)])} log p(x) is wrong",
            lambda mistake, flow=flow: mistake(flow, grid),
        )
    return f"added up over a fine grid, two come to {' and '.join(masses)}."


def a_flow(
    shear: float, scale: float
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return a flow that multiplies one entry by about the scale."""

    def flow(x: Tensor) -> tuple[Tensor, Tensor]:
        s = shear * x[:, 0].tanh() + math.log(scale)
        z = torch.stack([x[:, 0], x[:, 1] * s.exp() + x[:, 0].sin()], dim=1)
        return z, s

    return flow
