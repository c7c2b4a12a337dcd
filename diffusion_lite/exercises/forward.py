"""Checks of chapter 1: how a picture becomes noise."""

import math
from itertools import combinations

import torch
from torch import Tensor

from diffusion_lite.exercises.trial import (
    Trial,
    advising,
    exercise,
    expect,
    looks_like,
    near,
)
from diffusion_lite.schedules import Schedule, cosine_schedule, linear_schedule


def some_schedule(trial: Trial, T: int) -> Schedule:
    """Return one of the book's schedules, by chance."""
    return (linear_schedule, cosine_schedule)[trial.integer(0, 1)](T)


@exercise("forward-1")
def another_variance(trial: Trial) -> str:
    """Hold the variance of x_t against one taken step by step."""
    for T in (20, 100, 1000):
        schedule, told = some_schedule(trial, T), False
        while not told:  # until no two mistakes come to one number
            t, c = trial.integer(T // 5, T // 2), trial.uniform(2.0, 9.0)
            walked = c
            for s in range(1, t + 1):
                beta = float(schedule.beta[s])
                walked = (1 - beta) * walked + beta
            mistakes = wrong_variances(c, t, schedule)
            pairs = combinations([walked, *mistakes.values()], 2)
            told = all(abs(one - other) > 2e-3 for one, other in pairs)
        got = trial.number(c, t, schedule)
        close = " Is it simulated? The formula is exact."
        expect(
            near(got, walked),
            f"With c = {c:.3g}, t = {t} and T = {T} the variance, taken step "
            f"by step, is {walked:.4f}, not {got:.4f}."
            + (looks_like(got, mistakes) or close * near(got, walked, 0.02)),
        )
    return "three variances and schedules, against a walk step by step."


def wrong_variances(c: float, t: int, schedule: Schedule) -> dict:
    """Return what likely mistakes give for the variance of x_t."""
    early, a, late = (float(schedule.alpha_bar[u]) for u in (t - 1, t, t + 1))
    beta = float(schedule.beta[t])
    return {
        "the standard deviation": (a * c + 1 - a) ** 0.5,
        "a factor of c that is not squared": a**0.5 * c + 1 - a,
        "c without its factor": c + 1 - a,
        "the noise of one step only": a * c + beta,
        "the noise alone, without the data": 1 - a,
        "the data alone, without the noise": a * c,
        "one step only, with beta_t": (1 - beta) * c + beta,
        "c taken for a standard deviation": a * c**2 + 1 - a,
        "factors that are not squared": a**0.5 * c + (1 - a) ** 0.5,
        "the right formula one step early": early * c + 1 - early,
        "the right formula one step late": late * c + 1 - late,
    }


@exercise("forward-2")
def a_jump_from_the_middle(trial: Trial) -> str:
    """Hold the jump from s to t against the product of its steps."""
    for T in (50, 1000):
        schedule = some_schedule(trial, T)
        alpha = schedule.alpha.sqrt().tolist()
        middle = trial.integer(T // 4, T - 3)
        late = trial.integer(middle + 2, T - 1)
        for s, t in ((middle, late), (middle - 1, middle), (0, middle)):
            signal, noise = factors(trial, s, t, schedule)
            want = math.prod(alpha[s + 1 : t + 1])
            rest = max(1 - want**2, 0.0)
            a_s, a_t = (float(schedule.alpha_bar[u]) for u in (s, t))
            mistakes = {
                "the jump from 0, as if x_s were x_0": a_t**0.5,
                "a factor without its root": want**2,
                "one step from t - 1": alpha[t],
                "a product from s, one step too many": want * alpha[s],
                "a product that stops at t - 1: a slice ends before its "
                "second number": math.prod(alpha[s + 1 : t]),
                "a product from s to t - 1": math.prod(alpha[s:t]),
                "a jump of t - s steps from 0": math.prod(alpha[: t - s + 1]),
                "the difference of two alpha_bar": (a_s - a_t) ** 0.5,
            }
            count = f"steps {s + 1} to {t} count"
            if s + 1 == t:
                count = f"step {t} counts"
            expect(
                near(signal, want),
                f"From {s} to {t}, with T = {T}, x_s must be multiplied by "
                f"{want:.5f}, not by {furthest(signal, want):.5f}: only the "
                f"{count}." + looks_like(signal, mistakes),
            )
            mistakes = {
                "a variance, without its root": rest,
                "the noise of the jump from 0": (1 - a_t) ** 0.5,
                "the difference of two alpha_bar": (a_s - a_t) ** 0.5,
                "the noise of one step": (1 - alpha[t] ** 2) ** 0.5,
            }
            expect(
                near(noise, rest**0.5, 1e-3),
                f"From {s} to {t}, with T = {T}, eps must be multiplied by "
                f"{rest**0.5:.5f}, not by {furthest(noise, rest**0.5):.5f}: "
                "variance 1 must stay 1, so the squares of the two factors "
                "have the sum 1." + looks_like(noise, mistakes),
            )
    return "from the middle, over one step, and from 0, on two schedules."


def factors(
    trial: Trial, s: int, t: int, schedule: Schedule
) -> tuple[Tensor, Tensor]:
    """Return what a jump multiplies x_s and eps by, at three entries.

    Raises:
        Refused: it has noise of its own, or one number for all entries.
    """
    three = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    zero = torch.zeros_like(three)

    def jumped(x_s: Tensor, eps: Tensor) -> Tensor:
        with advising("Are s and t exchanged?", "not finite"):
            return trial.tensor(x_s, s, t, eps, schedule, shape=(3,))

    still = jumped(zero, zero)
    expect(
        near(still, 0.0),
        f"With x_s = 0 and eps = 0 it returns {float(still[0]):.4f}, and not "
        "0. It must use eps, and draw no noise of its own.",
    )
    signal, noise = jumped(three, zero), jumped(zero, three)
    expect(
        near(noise, jumped(zero, three)),
        "With the same eps it returns another x_t. It must use eps, and draw "
        "no noise of its own.",
    )
    for name, value in {"x_s": signal, "eps": noise}.items():
        expect(
            near(value, 0.0) or not near(value, value[:1]),
            f"Three entries of {name} give one number for all. Each entry "
            "has its own.",
        )
    return signal / three, noise / three


def furthest(values: Tensor, want: float) -> float:
    """Return the value that is furthest from what it must be."""
    return float(values[(values - want).abs().argmax()])


@exercise("forward-3")
def how_much_is_left(trial: Trial) -> str:
    """Hold alpha_bar_T of betas on a line against a sum of logarithms."""
    for T in (trial.integer(2, 50), 200, 1000, trial.integer(300, 900)):
        line = [1e-4 + i * (0.02 - 1e-4) / (T - 1) for i in range(T)]
        want = math.exp(sum(math.log1p(-beta) for beta in line))
        got = trial.number(T)
        longer = [1e-4 + i * (0.02 - 1e-4) / T for i in range(T + 1)]
        gaps = "a line that is divided by T: T betas have T - 1 gaps"
        mistakes = {
            "exp of minus the sum, an estimate": math.exp(-sum(line)),
            "a sum where a product belongs": 1 - sum(line),
            "the root": want**0.5,
            "what is lost, not what is left": 1 - want,
            "betas rescaled to fewer steps": float(
                linear_schedule(T).alpha_bar[-1]
            ),
            "one beta too many": math.prod(1 - beta for beta in longer),
            "the last step alone": 1 - line[-1],
            "the first beta left out": want / (1 - line[0]),
            "the last beta left out": want / (1 - line[-1]),
            gaps: math.prod(1 - beta for beta in longer[:-1]),
            f"{gaps}, and begins after its start": math.prod(
                1 - beta for beta in longer[1:]
            ),
        }
        if got != 0:
            mistakes["the product of the betas"] = math.prod(line)
        expect(
            near(got, want, 2e-5),
            f"left_after({T}) is {want:.6g}, not {got:.6g}."
            + looks_like(got, mistakes, 2e-5),
        )
    return "four numbers of steps, against a sum of logarithms."


EACH = "torch.randn(x.shape) draws one noise for each entry."


@exercise("forward-4")
def the_walk_that_is_wrong(trial: Trial) -> str:
    """Look at the moments of a mended walk's noise, after one and ten steps.

    False alarms: eight bounds of five standard errors: below 1e-5 in all.
    """
    n = 20_000
    one_step = Schedule.from_betas(torch.tensor([0.9995]).double())
    many = linear_schedule(10)

    def walked(start: Tensor, schedule: Schedule, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return trial.tensor(start, schedule, generator, shape=start.shape)

    few = torch.zeros(5, 2).double()  # at first, so that no mistake is large
    with advising(EACH, "size of tensor", "shape"):
        once, again, other = (walked(few, many, seed) for seed in (1, 1, 2))
    expect(
        near(once, again) and not near(once, other),
        "Draw the noise from the generator that is given, and from no other.",
    )
    expect(
        not near(once, once[:1]),
        f"All points get one noise. {EACH}",
    )
    for schedule in (one_step, many):
        steps = "After one step" if schedule.T == 1 else "After ten steps"
        a, seed = float(schedule.alpha_bar[-1]), trial.integer(0, 10**9)
        zero = walked(torch.zeros(n, 2).double(), schedule, seed)
        far = walked(torch.full((n, 2), 1e4).double(), schedule, seed)
        z = zero / (1 - a) ** 0.5
        mean, variance = float(z.mean()), float(z.var())
        kept, wide = float((far - zero).mean()) / 1e4, variance * (1 - a)
        expect(
            abs(mean) < 5 / (2 * n) ** 0.5,
            f"{steps} from 0 the mean is {mean:.3f}, and must be 0: is the "
            "noise uniform, rand for randn?",
        )
        expect(
            near(kept, a**0.5),
            f"{steps} x_0 must be multiplied by sqrt(alpha_bar) = "
            f"{a**0.5:.4f}, and is by {kept:.4f}: is x multiplied by the root "
            "of alpha, in every step of the schedule that is given?",
        )
        uniform = {
            "uniform noise, shifted: its variance is 1/12": (1 - a) / 12,
            "uniform noise from -1 to 1: its variance is 1/3": (1 - a) / 3,
        }
        expect(
            abs(variance - 1) < 5 * (2 / (2 * n)) ** 0.5,
            f"{steps} from 0 the variance is {wide:.4f}, and must be 1 - "
            f"alpha_bar = {1 - a:.4f}: is each noise new, and multiplied by "
            "the root of beta?" + looks_like(wide, uniform, 0.03),
        )
        expect(
            abs(float((z[:, 0] * z[:, 1]).mean())) < 5 / n**0.5,
            f"All entries of a point get one noise. {EACH}",
        )
        fourth = float((z - mean).pow(4).mean()) / variance**2
        expect(
            abs(fourth - 3) < 5 * (24 / (2 * n)) ** 0.5,
            f"{steps} the noise has the right width and the wrong shape: its "
            f"fourth moment is {fourth:.2f} times the squared variance, and "
            "3 times if it is Gaussian.",
        )
    return "20,000 walks of one and of ten steps: mean, variance, shape."
