"""Checks of chapter 1: how a picture becomes noise."""

import math

import torch
from torch import Tensor

from diffusion_lite.exercises.trial import (
    Answer,
    Refused,
    Trial,
    advising,
    exercise,
    expect,
    near,
    versus,
)
from diffusion_lite.schedules import Schedule, cosine_schedule, linear_schedule


def some_schedule(trial: Trial, T: int) -> Schedule:
    """Return one of the book's schedules, by chance."""
    return (linear_schedule, cosine_schedule)[trial.integer(0, 1)](T)


@exercise("forward-1")
def another_variance(trial: Trial) -> str:
    """Hold the variance of x_t against one taken step by step."""
    for T in (20, 100, 1000):
        schedule = some_schedule(trial, T)
        given = c, t, _ = trial.told_apart(
            lambda T=T, schedule=schedule: (
                trial.uniform(2.0, 9.0),
                trial.integer(T // 5, T // 2),
                schedule,
            ),
            step_by_step,
            2e-3,
        )
        got, want = trial.number(*given), step_by_step(*given)
        close = " Is it simulated? The formula is exact."
        trial.agrees(
            got,
            want,
            f"With c = {c:.3g}, t = {t} and T = {T} the variance is wrong",
            lambda mistake, given=given: mistake(*given),
            otherwise=close * near(got, want, 0.02),
        )
    return "three variances and schedules, against a path step by step."


def step_by_step(c: float, t: int, schedule: Schedule) -> float:
    """Return the variance of x_t from that of x_0, one step at a time."""
    for beta in schedule.beta[1 : t + 1].tolist():
        c = (1 - beta) * c + beta
    return c


@exercise("forward-2")
def a_jump_from_the_middle(trial: Trial) -> str:
    """Hold the jump from s to t against the product of its steps."""
    three = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    for T in (50, 1000):
        schedule = some_schedule(trial, T)
        middle = trial.integer(T // 4, T - 3)
        late = trial.integer(middle + 2, T - 1)
        for s, t in ((middle, late), (middle - 1, middle), (0, middle)):
            signal, noise = factors(trial, three, s, t, schedule)
            want = math.prod(schedule.alpha.sqrt().tolist()[s + 1 : t + 1])
            where = f"From {s} to {t}, with T = {T},"
            count = f"steps {s + 1} to {t} count"
            if s + 1 == t:
                count = f"step {t} counts"
            trial.agrees(
                signal,
                want,
                f"{where} only the {count}; the factor of x_s is wrong",
                lambda mistake, given=(s, t, 0 * three, schedule): (
                    mistake(three, *given) / three
                ),
            )
            trial.agrees(
                noise,
                max(1 - want**2, 0.0) ** 0.5,
                f"{where} the squares of the two factors have the sum 1, so "
                "that variance 1 stays 1; the factor of eps is wrong",
                lambda mistake, given=(s, t, three, schedule): (
                    mistake(0 * three, *given) / three
                ),
                1e-3,
            )
    return "from the middle, over one step, and from 0, on two schedules."


BELOW_0 = (
    "A root of a number below 0: are s and t exchanged, or a difference of "
    "alpha_bar taken where a ratio belongs?"
)


def factors(
    trial: Trial, three: Tensor, s: int, t: int, schedule: Schedule
) -> tuple[Tensor, Tensor]:
    """Return what a jump multiplies x_s and eps by, at three entries.

    Raises:
        Refused: it has noise of its own, or one number for all entries.
    """
    zero = torch.zeros_like(three)

    def jumped(x_s: Tensor, eps: Tensor) -> Tensor:
        with advising(BELOW_0, "not finite"):
            return trial.tensor(x_s, s, t, eps, schedule, shape=(3,))

    still = jumped(zero, zero)
    expect(
        near(still, 0.0),
        f"With x_s = 0 and eps = 0 it returns {float(still[0]):.4f}, and not "
        "0. It must use eps, and no noise of its own.",
    )
    signal, noise = jumped(three, zero), jumped(zero, three)
    expect(
        near(noise, jumped(zero, three)),
        "With the same eps it returns another x_t. It must use eps, and no "
        "noise of its own.",
    )
    for name, value in {"x_s": signal, "eps": noise}.items():
        expect(
            near(value, 0.0) or not near(value, value[:1]),
            f"Three entries of {name} give one number for all. Each entry "
            "has its own.",
        )
    return signal / three, noise / three


@exercise("forward-3")
def how_much_is_left(trial: Trial) -> str:
    """Hold alpha_bar_T of betas on a line against a sum of logarithms."""
    for T in (trial.integer(2, 50), 200, 1000, trial.integer(300, 900)):
        line = [1e-4 + i * (0.02 - 1e-4) / (T - 1) for i in range(T)]
        want = math.exp(sum(math.log1p(-beta) for beta in line))
        got = trial.number(T)
        expect(
            got != 0, f"left_after({T}) is not 0: something is always left."
        )
        trial.agrees(
            got,
            want,
            f"left_after({T}) is wrong",
            lambda mistake, T=T: mistake(T),
            2e-5,
        )
    return "four numbers of steps, against a sum of logarithms."


EACH = "torch.randn(x.shape) gives each entry a noise of its own."


@exercise("forward-4")
def the_path_that_is_wrong(trial: Trial) -> str:
    """Look at the moments of a mended path's noise, after one and ten steps.

    False alarms: eight bounds of five standard errors: below 1e-5 in all.
    """
    one_step = Schedule.from_betas(torch.tensor([0.9995]).double())
    many = linear_schedule(10)
    few = torch.zeros(5, 2).double()  # at first, so that no mistake is large
    with advising(EACH, "size of tensor", "shape"):
        once, again, other = (
            ends_from(trial, few, many, seed) for seed in (1, 1, 2)
        )
    expect(
        near(once, again) and not near(once, other),
        "Take the noise from the generator that is given, and from no other.",
    )
    expect(not near(once, once[:1]), f"All points get one noise. {EACH}")
    for schedule, steps in (
        (one_step, "After one step"),
        (many, "After ten steps"),
    ):
        zero = ends_of_20_000(trial, schedule, steps)
        noise_has_its_moments(trial, zero, schedule, steps)
    return "20,000 paths of one and of ten steps: mean, variance, shape."


def ends_from(
    trial: Trial, start: Tensor, schedule: Schedule, seed: int
) -> Tensor:
    """Return where the answer's paths end that begin at a start."""
    generator = torch.Generator().manual_seed(seed)
    return trial.tensor(start, schedule, generator, shape=start.shape)


def ends_of_20_000(trial: Trial, schedule: Schedule, steps: str) -> Tensor:
    """Return where as many paths from 0 end.

    Raises:
        Refused: those from far off, with the same noise, end elsewhere than
            x_0's factor says.
    """
    zero, seed = torch.zeros(20_000, 2).double(), trial.integer(0, 10**9)
    ends = ends_from(trial, zero, schedule, seed)
    far = ends_from(trial, zero + 1e4, schedule, seed)
    mean, root = float(ends.mean()), float(schedule.alpha_bar[-1]) ** 0.5
    kept = float((far - ends).mean()) / 1e4
    scale = (1 - root**2) ** 0.5
    expect(
        abs(mean) < 5 * scale / ends.numel() ** 0.5,
        f"{steps} from 0 the mean is wrong: {versus(mean, 0)} Is the noise "
        "uniform, rand for randn?",
    )
    expect(
        near(kept, root),
        f"{steps} the factor of x_0, sqrt(alpha_bar), is wrong: "
        f"{versus(kept, root)} Is x multiplied by the root of alpha, in every "
        "step of the schedule that is given?",
    )
    return ends


def noise_has_its_moments(
    trial: Trial, ends: Tensor, schedule: Schedule, steps: str
) -> None:
    """Refuse paths from 0 whose ends have another variance or shape."""
    n, rest = len(ends), 1 - float(schedule.alpha_bar[-1])
    z, variance = ends / rest**0.5, float(ends.var())

    def made(mistake: Answer) -> float:
        generator = torch.Generator().manual_seed(0)
        return float(mistake(0 * ends, schedule, generator).var())

    if abs(variance / rest - 1) > 5 / n**0.5:
        raise Refused(
            f"{steps} from 0 the variance, 1 - alpha_bar, is wrong: "
            f"{versus(variance, rest)} Is each noise new, and multiplied by "
            f"the root of beta?{trial.looks_like(variance, made, 0.03)}"
        )
    expect(
        abs(float((z[:, 0] * z[:, 1]).mean())) < 5 / n**0.5,
        f"All entries of a point get one noise. {EACH}",
    )
    fourth = float((z - z.mean()).pow(4).mean()) * rest**2 / variance**2
    expect(
        abs(fourth - 3) < 5 * (24 / (2 * n)) ** 0.5,
        f"{steps} the noise has the right variance and the wrong shape: its "
        f"fourth moment is {fourth:.2f} times the squared variance, and 3 "
        "times if it is Gaussian.",
    )
