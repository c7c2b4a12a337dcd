"""Checks of chapter 9: drift, diffusion, the way back, the velocity."""

import torch
from torch import Tensor

from diffusion_lite.data import two_modes
from diffusion_lite.exercises.trial import (
    Trial,
    exercise,
    expect,
    near,
    one_number,
    one_tensor,
)

H = 1e-5


def random_path(trial: Trial) -> tuple[float, float]:
    """Return two numbers that make a path: a = (1 - t / 2)^p, s = t^q."""
    return trial.uniform(1.0, 3.0), trial.uniform(0.6, 1.6)


def at(path: tuple[float, float], t: float) -> tuple[float, float]:
    """Return a and s of such a path."""
    p, q = path
    return (1 - t / 2) ** p, t**q


def slopes(path: tuple[float, float], t: float) -> tuple[float, float]:
    """Return the derivatives of a and s, as differences."""
    (a_low, s_low), (a_high, s_high) = at(path, t - H), at(path, t + H)
    return (a_high - a_low) / (2 * H), (s_high - s_low) / (2 * H)


def spread(path: tuple[float, float], t: float, variance: float) -> float:
    """Return the variance of x_t, for data of this variance."""
    a, s = at(path, t)
    return a**2 * variance + s**2


def rates(path: tuple[float, float], t: float) -> tuple[float, float]:
    """Return f and g^2: the SDE for which two variances of data come out.

    Its variances obey p' = 2 f p + g^2: two equations for two numbers.
    """
    few, many = (spread(path, t, v) for v in (0.5, 2.0))
    few_slope, many_slope = (
        (spread(path, t + H, v) - spread(path, t - H, v)) / (2 * H)
        for v in (0.5, 2.0)
    )
    f = (many_slope - few_slope) / (many - few) / 2
    return f, few_slope - 2 * f * few


@exercise("score-1")
def drift_and_diffusion(trial: Trial) -> str:
    """Hold f and g^2 against how variances change."""
    for _ in range(3):
        path, t = random_path(trial), trial.uniform(0.3, 0.8)
        given = (*at(path, t), *slopes(path, t))
        pair, want = trial.pair(*given), rates(path, t)
        for n, what in enumerate(("f", "g^2")):
            trial.agrees(
                one_number(pair[n], f"{what} is"),
                want[n],
                "With a, s, a', s' = "
                + ", ".join(f"{x:.3f}" for x in given)
                + f" {what} is wrong",
                lambda mistake, n=n, given=given: mistake(*given)[n],
                1e-4,
            )
    return "three paths, by the variances of two kinds of data."


@exercise("score-2")
def one_step_back(trial: Trial) -> str:
    """Hold a step against the variance of x one step earlier."""
    h = 1e-7
    for c in (1.0, trial.uniform(1.4, 2.0), 0.0):
        path, t = random_path(trial), trial.uniform(0.3, 0.8)
        p, f, g2 = spread(path, t, 0.7), *rates(path, t)
        x, none = trial.normal(3), torch.zeros(3, dtype=torch.float64)
        given = (x, -x / p, f, g2**0.5, h, c)
        still = trial.tensor(*given, none, shape=(3,))
        noisy = trial.tensor(*given, none + 1, shape=(3,))
        where = f"With c = {c:.3g}, f = {f:.3f} and g = {g2**0.5:.3f}"
        trial.agrees(
            (noisy - still) / h**0.5,
            torch.full_like(x, c * g2**0.5),
            f"{where} the noise over sqrt(h) is wrong",
            lambda mistake, given=given, none=none: (
                (mistake(*given, none + 1) - mistake(*given, none)) / h**0.5
            ),
            1e-3,
        )
        kept = ((spread(path, t - h, 0.7) - c**2 * g2 * h) / p) ** 0.5
        trial.agrees(
            (still - x) / h,
            (kept - 1) / h * x,
            f"{where} what the step changes, without its noise, over h, is "
            "wrong",
            lambda mistake, given=given, none=none, x=x: (
                (mistake(*given, none) - x) / h
            ),
            1e-3,
        )
    return "ODE, SDE and more noise, by the variance one step earlier."


def by_quadrature(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """Return velocity and score of x_t on the straight path, two modes."""
    x_0 = torch.linspace(-4, 4, 2001, dtype=torch.float64)
    log_p = two_modes().log_prob(x_0[:, None])

    def joint(x: Tensor) -> Tensor:
        return log_p - ((x[:, None] - (1 - t) * x_0) / t) ** 2 / 2

    share = joint(x).softmax(1)
    eps = (x[:, None] - (1 - t) * x_0) / t
    score = joint(x + H).logsumexp(1) - joint(x - H).logsumexp(1)
    return (share * (eps - x_0)).sum(1), score / (2 * H)


@exercise("score-3")
def score_of_a_velocity(trial: Trial) -> str:
    """Hold the score against differences of a log-density."""
    for _ in range(3):
        t, x = trial.uniform(0.2, 0.8), trial.normal(4)
        v, want = by_quadrature(x, t)
        given = (x, v, t)
        got = trial.tensor(*given, shape=(4,))
        trial.agrees(
            got,
            want,
            f"At t = {t:.3f} the score is wrong",
            lambda mistake, given=given: mistake(*given),
            1e-4,
        )
    return "twelve places of the book's two modes, by quadrature."


@exercise("score-4")
def the_pair_that_is_wrong(trial: Trial) -> str:
    """Hold a training pair against its own derivative, and its ends."""
    x_0, eps = trial.normal(5), trial.normal(5)

    def state(t: float) -> Tensor:
        pair = trial.pair(x_0, eps, t)
        return one_tensor(pair[0], (5,), "x_t is")

    for t, end, name in ((0.0, x_0, "x_0"), (1.0, eps, "eps")):
        trial.agrees(
            state(t),
            end,
            f"At t = {t:g}, x_t must be {name}",
            lambda mistake, t=t: mistake(x_0, eps, t)[0],
            1e-6,
        )
    for _ in range(3):
        t = trial.uniform(0.2, 0.8)
        v = one_tensor(trial.pair(x_0, eps, t)[1], (5,), "v is")
        trial.agrees(
            v,
            (state(t + H) - state(t - H)) / (2 * H),
            f"At t = {t:.3f}, v is not the derivative of your x_t",
            lambda mistake, t=t: mistake(x_0, eps, t)[1],
            1e-5,
        )
        expect(
            near(state(t), (1 - t) * x_0 + t * eps, 1e-6),
            "The ends are right, but x_t does not go straight from one to "
            "the other.",
        )
    return "both ends, and the derivative at three times."
