"""Checks of chapter 1: how a picture becomes noise."""

import math

import torch

from diffusion_lite.exercises.trial import (
    Trial,
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
        schedule = some_schedule(trial, T)
        t, c = trial.integer(T // 5, T // 2), trial.uniform(2.0, 9.0)
        walked = c
        for s in range(1, t + 1):
            beta = float(schedule.beta[s])
            walked = (1 - beta) * walked + beta
        a, beta = float(schedule.alpha_bar[t]), float(schedule.beta[t])
        got = trial.number(c, t, schedule)
        mistakes = {
            "the standard deviation": walked**0.5,
            "the noise alone, without the data": 1 - a,
            "the data alone, without the noise": a * c,
            "one step only, with beta_t": (1 - beta) * c + beta,
            "c taken for a standard deviation": a * c**2 + 1 - a,
            "factors that are not squared": a**0.5 * c + (1 - a) ** 0.5,
            "the right formula one step early or late": float(
                schedule.alpha_bar[t - 1] * (c - 1) + 1
            ),
        }
        expect(
            near(got, walked),
            f"With c = {c:.3g}, t = {t} and T = {T} the variance, taken step "
            f"by step, is {walked:.4f}, not {got:.4f}."
            + looks_like(got, mistakes),
        )
    return "three variances and schedules, against a walk step by step."


@exercise("forward-2")
def a_jump_from_the_middle(trial: Trial) -> str:
    """Hold the jump from s to t against the product of its steps."""
    one, zero = torch.ones(1).double(), torch.zeros(1).double()
    for T in (50, 1000):
        schedule = some_schedule(trial, T)
        middle = trial.integer(T // 4, T - 2)
        late = trial.integer(middle + 1, T - 1)
        for s, t in ((0, middle), (middle - 1, middle), (middle, late)):
            signal = trial.tensor(one, s, t, zero, schedule, shape=(1,))
            noise = trial.tensor(zero, s, t, one, schedule, shape=(1,))
            want = math.prod(
                float(schedule.alpha[u]) ** 0.5 for u in range(s + 1, t + 1)
            )
            rest = max(1 - want**2, 0.0)
            a_s, a_t = (float(schedule.alpha_bar[u]) for u in (s, t))
            mistakes = {
                "the jump from 0, as if x_s were x_0": a_t**0.5,
                "a factor without its root": want**2,
                "one step from t - 1": float(schedule.alpha[t]) ** 0.5,
                "a product from s, one step too many": want
                * float(schedule.alpha[s]) ** 0.5,
                "the difference of two alpha_bar": (a_s - a_t) ** 0.5,
            }
            expect(
                near(signal, want),
                f"From {s} to {t}, with T = {T}, x_s must be multiplied by "
                f"{want:.5f}, not by {float(signal):.5f}: only the steps "
                f"{s + 1} to {t} count." + looks_like(signal, mistakes),
            )
            expect(
                near(noise, rest**0.5, 1e-3),
                f"From {s} to {t}, with T = {T}, eps must be multiplied by "
                f"{rest**0.5:.5f}, not by {float(noise):.5f}: variance 1 must "
                "stay 1, so the squares of the two factors have the sum 1."
                + looks_like(noise, {"a variance, without its root": rest}),
            )
    return "from 0, over one step, and from the middle, on two schedules."


@exercise("forward-3")
def how_much_is_left(trial: Trial) -> str:
    """Hold alpha_bar_T of betas on a line against a sum of logarithms."""
    for T in (trial.integer(2, 50), 200, 1000, trial.integer(300, 900)):
        line = [1e-4 + i * (0.02 - 1e-4) / (T - 1) for i in range(T)]
        want = math.exp(sum(math.log1p(-beta) for beta in line))
        got = trial.number(T)
        longer = [1e-4 + i * (0.02 - 1e-4) / T for i in range(T + 1)]
        mistakes = {
            "exp of minus the sum, an estimate": math.exp(-sum(line)),
            "a sum where a product belongs": 1 - sum(line),
            "the root": want**0.5,
            "what is lost, not what is left": 1 - want,
            "betas rescaled to fewer steps": float(
                linear_schedule(T).alpha_bar[-1]
            ),
            "one beta too many": math.prod(1 - beta for beta in longer),
            "the product of the betas": math.prod(line),
            "the last step alone": 1 - line[-1],
        }
        expect(
            near(got, want),
            f"left_after({T}) is {want:.6g}, not {got:.6g}."
            + looks_like(got, mistakes),
        )
    return "four numbers of steps, against a sum of logarithms."


@exercise("forward-4")
def the_walk_that_is_wrong(trial: Trial) -> str:
    """Look at the moments of a mended walk's noise, after one and ten steps.

    False alarms: eight bounds of five standard errors: below 1e-5 in all.
    """
    n = 20_000
    one_step = Schedule(torch.tensor([0.9995]).double())
    many = linear_schedule(10)
    for schedule in (one_step, many):
        steps, generator = f"After {schedule.T} steps", trial.generator
        a = float(schedule.alpha_bar[-1])
        start = torch.full((n, 1), 100.0).double()
        far = trial.tensor(start, schedule, generator, shape=(n, 1)).mean()
        zero = trial.tensor(0 * start, schedule, generator, shape=(n, 1))
        z = zero / (1 - a) ** 0.5
        mean, variance = float(z.mean()), float(z.var())
        expect(
            abs(mean) < 5 / n**0.5,
            f"{steps} from 0 the mean is {mean:.3f}, and must be 0: is the "
            "noise even, rand for randn?",
        )
        expect(
            abs(float(far) - 100 * a**0.5) < 5 / n**0.5,
            f"{steps} from 100 the mean must be 100 sqrt(alpha_bar) = "
            f"{100 * a**0.5:.3f}, and is {float(far):.3f}: is x multiplied by "
            "the root of alpha, in every step?",
        )
        expect(
            abs(variance - 1) < 5 * (2 / n) ** 0.5,
            f"{steps} from 0 the variance is {variance * (1 - a):.4f}, and "
            f"must be 1 - alpha_bar = {1 - a:.4f}: is each noise new, and "
            "multiplied by the root of beta?",
        )
        fourth = float((z - mean).pow(4).mean()) / variance**2
        expect(
            abs(fourth - 3) < 5 * (24 / n) ** 0.5,
            f"{steps} the noise has the right width and the wrong shape: its "
            f"fourth moment is {fourth:.2f} times the squared variance, and "
            "3 times if it is Gaussian.",
        )
    return "20,000 walks of one and of ten steps: mean, variance, shape."
