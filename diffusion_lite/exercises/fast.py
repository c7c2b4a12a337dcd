"""Checks of chapter 10: steps that leap, their times, their order."""

import operator
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.posterior import by_bayes
from diffusion_lite.exercises.trial import (
    Answer,
    Refused,
    Trial,
    as_tensor,
    exercise,
    expect,
    near,
    one_tensor,
    shown,
)
from diffusion_lite.forward import q_sample
from diffusion_lite.schedules import Schedule


@exercise("fast-1")
def a_step_that_keeps(trial: Trial) -> str:
    """Hold a step's noise against Bayes' rule, and its sum of variances."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        t = trial.integer(T // 2, T - 2)
        for s in (t - 1, trial.integer(3, t - 3)):
            _, variance = by_bayes(0.5, 0.5, s, t, schedule)
            for eta in (1.0, trial.uniform(0.3, 0.7), 0.0):
                one_leap(trial, t, s, eta, eta**2 * variance, schedule)
        one_leap(trial, t, 0, 1.0, 0.0, schedule)
    return "steps, leaps and the last, with three eta, on two schedules."


def one_leap(
    trial: Trial, t: int, s: int, eta: float, noise: float, schedule: Schedule
) -> None:
    """Refuse a step whose noise has another variance, or that keeps it not.

    The parts of x_s along x_0, along eps and along z are told apart: the
    second and third have the variance 1 - alpha_bar_s together.
    """
    x_0, eps = trial.normal(3), trial.normal(3)
    x_t = q_sample(x_0, t, eps, schedule)
    zero, where = torch.zeros_like(x_0), f"With eta = {eta:.3g}"
    where = f"{where}, from t = {t} to s = {s} on {schedule.T} steps,"

    def still(step: Answer) -> Tensor:
        return step(x_t, t, s, eps, zero, schedule, eta)

    def noisy(step: Answer) -> Tensor:
        return step(x_t, t, s, eps, zero + 1, schedule, eta) - still(step)

    def tried(*given: object) -> Tensor:
        return trial.tensor(*given, shape=(3,))

    trial.agrees(
        noisy(tried),
        zero + noise**0.5,
        f"{where} the factor of z is wrong",
        noisy,
        1e-3,
    )
    a_s = float(schedule.alpha_bar[s])
    trial.agrees(
        still(tried),
        a_s**0.5 * x_0 + max(1 - a_s - noise, 0.0) ** 0.5 * eps,
        f"{where} what the step gives without its noise is wrong",
        still,
        1e-3,
    )


@exercise("fast-2")
def the_times(trial: Trial) -> str:
    """Look at both ends, for repeats, and at how far apart the levels are."""
    for power in (trial.uniform(1.4, 2.0), trial.uniform(0.5, 0.8)):
        n = trial.integer(5, 8)
        level = trial.uniform(1.0, 9.0) * (torch.arange(201) / 200) ** power
        got = steps_of(trial, level.double(), n)
        want = nearest(level.double(), n)
        trial.agrees(
            torch.tensor(got).double(),
            want,
            "The levels of the times are not evenly far apart. With level = "
            f"c (t / 200)^{power:.2f} and n = {n}, one time is wrong",
            lambda mistake, level=level, n=n: torch.tensor(
                mistake(level.double(), n)
            ),
            1.01 / 200,  # a neighbour is near enough
        )
    for n in (1, trial.integer(8, 11), 12):
        for power in (0.3, 3.0):
            steps_of(trial, (torch.arange(13.0) / 12).double() ** power, n)
    return "three grids on 200 steps, and as many times as there are steps."


def nearest(level: Tensor, n: int) -> Tensor:
    """Return the steps whose levels are nearest to n + 1 even ones."""
    goals = level[-1] + (level[0] - level[-1]) * torch.arange(n + 1) / n
    return (level[:, None] - goals).abs().argmin(0).double()


def steps_of(trial: Trial, level: Tensor, n: int) -> list[int]:
    """Return the times that the answer makes, if they fall from T to 0."""
    T = len(level) - 1
    says = f"With T = {T} and n = {n}"
    times = whole_steps(trial.call(level, n), says)
    expect(
        all(0 <= t <= T for t in times),
        f"{says} it returns {times[:30]}: a step is from 0 to T.",
    )
    first, end = times[0], times[-1]
    expect(
        (first, end) != (0, T),
        f"{says} they rise: sampling goes from T to 0, so they must fall.",
    )
    expect(
        first == T,
        f"{says} the first time is {first}, should be T: x_T is what sampling "
        "starts from.",
    )
    expect(
        end == 0,
        f"{says} the last time is {end}, should be 0: without it the sample "
        "keeps its last noise.",
    )
    for a, b in pairwise(times):
        expect(a != b, f"{says} {a} comes twice: a pass for nothing.")
        expect(a > b, f"{says} after {a} comes {b}: they must fall.")
    expect(
        len(times) == n + 1,
        f"{says} it returns {len(times)} times, should be n + 1 = {n + 1}: n "
        "steps have n + 1 ends.",
    )
    return times


def whole_steps(value: object, says: str) -> list[int]:
    """Return a row of whole numbers as a list.

    Raises:
        Refused: it is none.
    """
    value = as_tensor(value)
    row: Any = value.tolist() if isinstance(value, Tensor) else value
    try:
        times = [operator.index(t) for t in row]
    except Exception:  # whatever the numbers of an answer do
        times = []
    if not times:
        raise Refused(
            f"{says} it returns {shown((value,))}, and not a list of whole "
            "numbers: the steps, and not their levels."
        )
    return times


@exercise("fast-3")
def the_order(trial: Trial) -> str:
    """Hold the order of errors that fall as a known power."""
    for last in (0, trial.integer(2, 3), trial.integer(2, 3)):
        steps = torch.tensor([4.0, 6, 10, 16, 25, 40, 63, 100]).double()
        order = trial.uniform(0.8, 3.2)
        law = trial.uniform(0.2, 5.0) * steps**-order
        floor = float(law[8 - last - 1]) / 11 if last else 0.0
        errors = law.clone()
        for k in range(8 - last, 8):
            errors[k] = floor * trial.uniform(1.0, 3.0)
        given = (steps, errors, floor)
        trial.agrees(
            trial.number(*given),
            order,
            f"For errors that fall as steps^-{order:.2f}, {last or 'none'} of "
            "which are rounding, the order is wrong",
            lambda mistake, given=given: float(mistake(*given)),
        )
    return "three powers; two of them end in rounding."


Denoise = Callable[[Tensor, float], Tensor]


@exercise("fast-4")
def heun(trial: Trial) -> str:
    """Listen to where a mended solver asks, and hold it on three fields.

    What is right for the slopes sigma, 1 and y settles both weights, and
    where the second slope is taken.
    """
    for n in (1, 2, 4):
        parts = [trial.uniform(0.3, 1.0) for _ in range(n)]
        sigmas = [sum(parts[i:]) for i in range(n)] + [0.0]
        y = trial.normal(3)
        for name, slope in SLOPES.items():
            asked: list[float] = []
            denoise = of_slope(slope, asked)
            end = trial.call(denoise, y, sigmas)
            asks_rightly(asked, sigmas)
            says = f"With the slope {name} it returns"
            trial.agrees(
                one_tensor(end, (3,), says),
                EXACT[name](y, sigmas),
                f"With the slope dy/dsigma = {name} and the sigmas "
                f"{listed(sigmas)}, y at the end is wrong",
                lambda mistake, denoise=denoise, y=y, sigmas=sigmas: mistake(
                    denoise, y, sigmas
                ),
            )
    return "one, two and four steps on three fields, and where it asks."


SLOPES: dict[str, Denoise] = {
    "sigma": lambda y, sigma: sigma * torch.ones_like(y),
    "1": lambda y, sigma: torch.ones_like(y),
    "y": lambda y, sigma: y,
}


def of_slope(slope: Denoise, asked: list[float]) -> Denoise:
    """Return the denoiser with this dy/dsigma; it notes where it is asked."""

    def denoise(y: Tensor, sigma: float) -> Tensor:
        asked.append(float(sigma))
        return y - sigma * slope(y, sigma)

    return denoise


def along(y: Tensor, sigmas: list[float]) -> Tensor:
    """Return where slope sigma leads: the trapezoids are exact, but the last.

    The last step takes the slope at its beginning alone.
    """
    return y - sigmas[0] ** 2 / 2 - sigmas[-2] ** 2 / 2


def shrinks(y: Tensor, sigmas: list[float]) -> Tensor:
    """Return where slope y leads: e^h up to h^2 each, the last up to h."""
    for a, b in pairwise(sigmas):
        h = b - a
        y = y * (1 + h + (h**2 / 2 if b else 0))
    return y


EXACT: dict[str, Callable[[Tensor, list[float]], Tensor]] = {
    "sigma": along,
    "1": lambda y, sigmas: y - sigmas[0],
    "y": shrinks,
}


def asks_rightly(asked: list[float], sigmas: list[float]) -> None:
    """Refuse passes at other levels than Heun's method takes."""
    want = [sigma for sigma in sigmas[:-1] for _ in range(2)][1:]
    if len(asked) == len(want) and near(
        torch.tensor(asked), torch.tensor(want)
    ):
        return
    expect(
        not any(abs(sigma) < 1e-9 for sigma in asked),
        "It asks the denoiser at sigma = 0, where the slope is 0 / 0. The "
        "last step takes the slope at its beginning alone.",
    )
    how = f"With the sigmas {listed(sigmas)} it asks the denoiser at "
    told = f"{how}{listed(asked) or 'none'}; should be {listed(want)}."
    if len(asked) == len(sigmas) - 1 > 1 and near(
        torch.tensor(asked), torch.tensor(sigmas[:-1])
    ):
        told += " It looks like Euler's method: there is no second slope."
    raise Refused(told)


def listed(numbers: list[float]) -> str:
    """Return the first numbers of a list in a few words."""
    more = ", ..." * (len(numbers) > 9)
    return ", ".join(f"{x:.3g}" for x in numbers[:9]) + more


@exercise("fast-5")
def one_step_for_two(trial: Trial) -> str:
    """Hold x_0 against the line through two points of a trajectory."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        t = trial.integer(T // 2, T - 2)
        for r in (trial.integer(2, t - 2), 0):
            x_t, x_r = trial.normal(3), trial.normal(3)
            a, s = (
                schedule.alpha_bar[[t, r]].sqrt(),
                (1 - schedule.alpha_bar[[t, r]]).sqrt(),
            )
            both = torch.linalg.solve(
                torch.stack([a, s], 1), torch.stack([x_t, x_r])
            )
            given = (x_t, x_r, t, r, schedule)
            trial.agrees(
                trial.tensor(*given, shape=(3,)),
                both[0],
                f"From t = {t} to r = {r} on {T} steps, the x_0 with which "
                "one step lands on x_r is wrong",
                lambda mistake, given=given: mistake(*given),
            )
    return "two schedules, a leap on each and one to the end."
