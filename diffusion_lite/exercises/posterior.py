"""Checks of chapter 2: what the step before was."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.trial import (
    Refused,
    Trial,
    advising,
    as_tensor,
    exercise,
    expect,
    near,
    one_number,
    one_tensor,
    worst,
)
from diffusion_lite.forward import q_sample
from diffusion_lite.schedules import Schedule


def by_bayes(
    x_0: float, x_t: float, s: int, t: int, schedule: Schedule
) -> tuple[float, float]:
    """Return mean and variance of q(x_s | x_t, x_0), on a grid of x_s."""
    a_s, a_t = (float(schedule.alpha_bar[u]) for u in (s, t))
    middle, std = a_s**0.5 * x_0, (1 - a_s) ** 0.5
    x_s = torch.linspace(-12, 12, 20_001, dtype=torch.float64) * std + middle
    keep = a_t / a_s
    log_p = -((x_s - middle) ** 2) / (2 * (1 - a_s))
    log_p = log_p - (x_t - keep**0.5 * x_s) ** 2 / (2 * (1 - keep))
    p = log_p.softmax(0)
    mean = float((p * x_s).sum())
    return mean, float((p * (x_s - mean) ** 2).sum())


def two_ends(trial: Trial, t: int, schedule: Schedule) -> tuple[float, float]:
    """Return an x_0 and an x_t that a path may have."""
    x_0, a_t = trial.uniform(0.5, 2.0), float(schedule.alpha_bar[t])
    return x_0, a_t**0.5 * x_0 - trial.uniform(0.5, 2.0) * (1 - a_t) ** 0.5


def three_at_once(
    pair: tuple[Any, ...], mean: Tensor, variance: float
) -> None:
    """Refuse what was right for one entry and is not for three, or go on."""
    got = one_tensor(pair[0], (3,), "With three entries at once the mean is")
    expect(
        near(got, mean, 1e-3),
        "With one entry the mean is right, and with three at once it is not: "
        "each has a mean of its own.",
    )
    spread = as_tensor(pair[1])
    if not isinstance(spread, Tensor) or spread.shape != (3,):
        spread = one_number(spread, "With three entries the variance is")
    expect(
        near(spread, variance, 1e-3),
        "With one entry the variance is right, and with three at once it is "
        "not: it is the same for each.",
    )


def mean_and_variance(
    trial: Trial,
    given: tuple[Any, ...],
    want: tuple[float, float],
    where: str,
    share: float,
) -> None:
    """Refuse a mean or a variance, of one entry, that is another, or go on."""
    pair = trial.pair(*given)
    for n, what in enumerate(("mean", "variance")):
        trial.agrees(
            one_number(pair[n], "One of the two is"),
            want[n],
            f"{where} the {what} is wrong",
            lambda mistake, n=n: mistake(*given)[n],
            share,
        )


@exercise("posterior-1")
def from_anywhere_to_anywhere(trial: Trial) -> str:
    """Hold mean and variance against Bayes' rule on a grid."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        t = trial.integer(T // 2, T - 2)
        for s in (t - 1, trial.integer(2, t - 2)):
            x_0, x_t = two_ends(trial, t, schedule)
            given = (trial.one(x_0), trial.one(x_t), s, t, schedule)
            where = (
                f"From t = {t} back to s = {s}, with x_0 = {x_0:.3f} and x_t "
                f"= {x_t:.3f},"
            )
            want = by_bayes(x_0, x_t, s, t, schedule)
            mean_and_variance(trial, given, want, where, 1e-3)
            three = trial.normal(3), trial.normal(3)
            pair = trial.pair(*three, s, t, schedule)
            ends = zip(*(each.tolist() for each in three), strict=True)
            three_at_once(pair, means_by_bayes(ends, s, t, schedule), want[1])
    return "one step and a leap, on two schedules, by Bayes' rule on a grid."


def means_by_bayes(
    ends: Iterable[tuple[float, float]], s: int, t: int, schedule: Schedule
) -> Tensor:
    """Return the mean of q(x_s | x_t, x_0) for each (x_0, x_t), on a grid."""
    means = [by_bayes(x_0, x_t, s, t, schedule)[0] for x_0, x_t in ends]
    return torch.tensor(means, dtype=torch.float64)


@exercise("posterior-2")
def standard_normal_data(trial: Trial) -> str:
    """Hold the step back against a joint Gaussian, conditioned."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        t, x_t = trial.integer(T // 4, T - 2), trial.uniform(0.5, 2.0)
        root = float(schedule.alpha[t]) ** 0.5
        joint = torch.tensor([[1.0, root], [root, 1.0]], dtype=torch.float64)
        slope = float(joint[0, 1] / joint[1, 1])
        rest = float(joint[0, 0] - joint[0, 1] ** 2 / joint[1, 1])
        given = (trial.one(x_t), t, schedule)
        where = f"At t = {t} with x_t = {x_t:.3f}"
        mean_and_variance(trial, given, (slope * x_t, rest), where, 1e-4)
        three = trial.normal(3)
        three_at_once(trial.pair(three, t, schedule), slope * three, rest)
    return "two schedules, against the distribution of two Gaussians together."


AXIS = (
    "alpha_bar[t] is (B,), and x_t (B, D): it needs a second axis, [:, None]."
)


@exercise("posterior-3")
def a_network_that_says_x_0(trial: Trial) -> str:
    """Hand the true x_0 in; the true noise must come out."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        x_0, eps = trial.normal(6, 2), trial.normal(6, 2)
        times = [trial.integer(T // 4, T - 2) for _ in range(4)]
        t = torch.tensor([T // 4, *times, T - 1])
        x_t = q_sample(x_0, t, eps, schedule)
        asked: list[int] = []

        def x_0_model(
            x_t: Tensor,
            t: Tensor,
            known: tuple[Tensor, Tensor, Tensor] = (x_t, t, x_0),
            asked: list[int] = asked,
        ) -> Tensor:
            asked.append(1)
            return said(x_t, t, *known)

        model = trial.call(x_0_model, schedule)
        if not callable(model):
            raise Refused("Return a function: def eps_model(x_t, t), inside.")
        with advising(AXIS, "size of tensor", "it must be"):
            got = Trial(model, 0).tensor(x_t, t, shape=(6, 2))
        expect(bool(asked), "It never asks the network that it is given.")
        trial.agrees(
            got,
            eps,
            "With the true x_0 the true noise must come out. At t = "
            f"{int(t[worst(got, eps) // 2])} it is off",
            lambda mistake, given=(x_0_model, schedule), asked=(x_t, t): (
                mistake(*given)(*asked)
            ),
        )
    return "six points at times of their own, on two schedules."


def said(
    x_t: Tensor, t: Tensor, points: Tensor, times: Tensor, x_0: Tensor
) -> Tensor:
    """Return what belongs to each row of x_t and t that is known.

    Raises:
        ValueError: a row is none of those that are known.
    """
    there = isinstance(x_t, Tensor) and isinstance(t, Tensor)
    there = there and x_t.shape[1:] == (2,) and t.shape == x_t.shape[:1]
    if there:
        apart = (x_t[:, None] - points).abs().amax(2) + (t[:, None] != times)
        there = bool((apart.amin(1) < 1e-4).all())
    if not there:
        raise ValueError("Ask the network with x_t and t as they come.")
    return x_0[apart.argmin(1)]


BUG = (
    " It looks like sqrt(alpha_bar_t) still on x_t, and another weight on x_0."
)
OF_T = " It looks like a wrong weight on x_0; that on x_t is right."
OF_0 = " It looks like a wrong weight on x_t; that on x_0 is right."


@exercise("posterior-4")
def the_mean_that_is_wrong(trial: Trial) -> str:
    """Hold a mended posterior mean against Bayes' rule."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        for t in (trial.integer(T // 3, T - 2), 2):
            ends = [two_ends(trial, t, schedule) for _ in range(3)]
            x_0, x_t = torch.tensor(ends, dtype=torch.float64).T
            given = (x_0, x_t, t, schedule)
            got = trial.tensor(*given, shape=(3,))
            want = means_by_bayes(ends, t - 1, t, schedule)
            n = worst(got, want)
            trial.agrees(
                got,
                want,
                f"At t = {t} of {T}, with x_0 = {x_0[n]:.3f} and x_t = "
                f"{x_t[n]:.3f}, the mean is wrong",
                lambda mistake, given=given: mistake(*given),
                1e-3,
                one_weight_alone(got, *given),
            )
    return "twelve places, by Bayes' rule on a grid."


def one_weight_alone(
    got: Tensor, x_0: Tensor, x_t: Tensor, t: int, schedule: Schedule
) -> str:
    """Return which of a mean's two weights is known, if one of them is."""
    (a_s, a_t), alpha = schedule.alpha_bar[t - 1 : t + 1], schedule.alpha[t]
    of_t = (1 - a_s) / (1 - a_t) * x_t
    for known, x, told in (
        (a_t.sqrt() * of_t, x_0, BUG),
        (alpha.sqrt() * of_t, x_0, OF_T),
        (a_s.sqrt() * schedule.beta[t] / (1 - a_t) * x_0, x_t, OF_0),
    ):
        weight = ((got - known) / x).mean()
        if near(got, known + weight * x):
            return told
    return ""
