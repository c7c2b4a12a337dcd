"""Checks of chapter 2: what the step before was."""

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
    looks_like,
    near,
    one_number,
    one_tensor,
)
from diffusion_lite.forward import q_sample
from diffusion_lite.schedules import Schedule


def by_bayes(
    x_0: float, x_t: float, s: int, t: int, schedule: Schedule
) -> tuple[float, float]:
    """Return mean and variance of q(x_s | x_t, x_0), on a grid of x_s."""
    a_s, a_t = (float(schedule.alpha_bar[u]) for u in (s, t))
    middle, width = a_s**0.5 * x_0, (1 - a_s) ** 0.5
    x_s = torch.linspace(-12, 12, 20_001, dtype=torch.float64) * width + middle
    keep = a_t / a_s
    log_p = -((x_s - middle) ** 2) / (2 * (1 - a_s))
    log_p = log_p - (x_t - keep**0.5 * x_s) ** 2 / (2 * (1 - keep))
    p = log_p.softmax(0)
    mean = float((p * x_s).sum())
    return mean, float((p * (x_s - mean) ** 2).sum())


def two_ends(trial: Trial, t: int, schedule: Schedule) -> tuple:
    """Return an x_0 and an x_t that a walk may have."""
    x_0, a_t = trial.uniform(0.5, 2.0), float(schedule.alpha_bar[t])
    return x_0, a_t**0.5 * x_0 - trial.uniform(0.5, 2.0) * (1 - a_t) ** 0.5


def three_at_once(pair: tuple, mean: Tensor, variance: float) -> None:
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


@exercise("posterior-1")
def from_anywhere_to_anywhere(trial: Trial) -> str:
    """Hold mean and variance against Bayes' rule on a grid."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        t = trial.integer(T // 2, T - 2)
        for s in (t - 1, trial.integer(2, t - 2)):
            x_0, x_t = two_ends(trial, t, schedule)
            given = (trial.one(x_0), trial.one(x_t))
            pair = trial.pair(*given, s, t, schedule)
            got = [one_number(v, "One of the two is") for v in pair]
            mean, variance = by_bayes(x_0, x_t, s, t, schedule)
            a_s, a_t = (float(schedule.alpha_bar[u]) for u in (s, t))
            keep, beta = a_t / a_s, float(schedule.beta[t])
            of_0 = a_s**0.5 * (1 - keep) / (1 - a_t)
            of_t = keep**0.5 * (1 - a_s) / (1 - a_t)
            alpha = float(schedule.alpha[t])
            wrong_mean = {
                "alpha_t and beta_t of one step, where s is not t - 1": (
                    a_s**0.5 * beta * x_0 + alpha**0.5 * (1 - a_s) * x_t
                )
                / (1 - a_t),
                "a weight of x_t without its root": of_0 * x_0
                + keep**0.5 * of_t * x_t,
                "a weight of x_0 without its root": a_s**0.5 * of_0 * x_0
                + of_t * x_t,
                "the mean of q(x_s | x_0), without x_t": a_s**0.5 * x_0,
                "the weights exchanged": of_t * x_0 + of_0 * x_t,
                "a weight of x_t with sqrt(alpha_bar_t)": of_0 * x_0
                + of_t * (a_t / keep) ** 0.5 * x_t,
                "the mean and the variance exchanged": variance,
                "the weights of one step, with beta_t": (
                    float(schedule.alpha_bar[t - 1]) ** 0.5 * beta * x_0
                    + float(schedule.alpha[t]) ** 0.5
                    * (1 - float(schedule.alpha_bar[t - 1]))
                    * x_t
                )
                / (1 - a_t),
            }
            expect(
                near(got[0], mean, 1e-3),
                f"From t = {t} back to s = {s}, with x_0 = {x_0:.3f} and x_t "
                f"= {x_t:.3f}, the mean is {mean:.4f}, not {got[0]:.4f}."
                + looks_like(got[0], wrong_mean),
            )
            wrong_variance = {
                "the standard deviation": variance**0.5,
                "the precision, 1 / variance": 1 / variance,
                "beta_t of one step, where s is not t - 1": beta
                * (1 - a_s)
                / (1 - a_t),
                "the variance of q(x_s | x_0), without x_t": 1 - a_s,
                "the variance of the step from s to t": 1 - keep,
                "beta_t": beta,
            }
            expect(
                near(got[1], variance, 1e-3),
                f"From t = {t} back to s = {s} the variance is "
                f"{variance:.5f}, not {got[1]:.5f}."
                + looks_like(got[1], wrong_variance),
            )
            x_0, x_t = trial.normal(3), trial.normal(3)
            pair = trial.pair(x_0, x_t, s, t, schedule)
            three_at_once(pair, of_0 * x_0 + of_t * x_t, variance)
    return "one step and a leap, on two schedules, by Bayes' rule on a grid."


@exercise("posterior-2")
def standard_normal_data(trial: Trial) -> str:
    """Hold the step back against a joint Gaussian, conditioned."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        t, x_t = trial.integer(T // 4, T - 2), trial.uniform(0.5, 2.0)
        pair = trial.pair(trial.one(x_t), t, schedule)
        got = [one_number(v, "One of the two is") for v in pair]
        alpha, beta = float(schedule.alpha[t]), float(schedule.beta[t])
        a_s, a_t = (float(schedule.alpha_bar[u]) for u in (t - 1, t))
        joint = torch.tensor([[1.0, alpha**0.5], [alpha**0.5, 1.0]])
        slope = float(joint[0, 1] / joint[1, 1])
        rest = float(joint[0, 0] - joint[0, 1] ** 2 / joint[1, 1])
        expect(
            near(got[0], slope * x_t),
            f"At t = {t} with x_t = {x_t:.3f} the mean is {slope * x_t:.4f}, "
            f"not {got[0]:.4f}."
            + looks_like(
                got[0],
                {
                    "x_t divided by the root of alpha_t": x_t / alpha**0.5,
                    "x_t itself": x_t,
                    "alpha_t without its root": alpha * x_t,
                    "alpha_bar, of all steps": a_t**0.5 * x_t,
                },
            ),
        )
        expect(
            near(got[1], rest),
            f"At t = {t} the variance is {rest:.5f}, not {got[1]:.5f}."
            + looks_like(
                got[1],
                {
                    "the standard deviation": rest**0.5,
                    "the posterior's, which knows x_0": beta
                    * (1 - a_s)
                    / (1 - a_t),
                    "the distribution of x_s, before x_t is seen": 1.0,
                    "alpha_t, what is kept": alpha,
                },
            ),
        )
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
        asked = []

        def x_0_model(
            x_t: Tensor,
            t: Tensor,
            known: tuple = (x_t, t, x_0),
            asked: list = asked,
        ) -> Tensor:
            asked.append(1)
            return said(x_t, t, *known)

        model = trial.call(x_0_model, schedule)
        if not callable(model):
            raise Refused("Return a function: def eps_model(x_t, t), inside.")
        with advising(AXIS, "size of tensor", "it must be"):
            got = Trial(model, 0).tensor(x_t, t, shape=(6, 2))
        expect(bool(asked), "It never asks the network that it is given.")
        a = schedule.alpha_bar[t][:, None]
        alpha = schedule.alpha[t][:, None]
        noise = x_t - a.sqrt() * x_0
        mistakes = {
            "the sign turned round": -eps,
            "1 - alpha_bar without its root": noise / (1 - a),
            "alpha_bar without its root before x_0": (x_t - a * x_0)
            / (1 - a).sqrt(),
            "x_0 from eps, and not eps from x_0": (x_t - (1 - a).sqrt() * x_0)
            / a.sqrt(),
            "alpha for alpha_bar": (x_t - alpha.sqrt() * x_0)
            / (1 - alpha).sqrt(),
            "x_0 taken off whole, without sqrt(alpha_bar)": (x_t - x_0)
            / (1 - a).sqrt(),
            "the noise as it is in x_t, still to be divided": noise,
        }
        expect(
            near(got, eps),
            "With the true x_0 the true noise must come out; at t = "
            f"{t.tolist()} it is off by up to "
            f"{float((got - eps).abs().max()):.3f}."
            + looks_like(got, mistakes),
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


@exercise("posterior-4")
def the_mean_that_is_wrong(trial: Trial) -> str:
    """Hold a mended posterior mean against Bayes' rule."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        for t in (trial.integer(T // 3, T - 2), 2):
            ends = [two_ends(trial, t, schedule) for _ in range(3)]
            x_0, x_t = torch.tensor(ends, dtype=torch.float64).T
            got = trial.tensor(x_0, x_t, t, schedule, shape=(3,))
            means = [by_bayes(*pair, t - 1, t, schedule)[0] for pair in ends]
            mean = torch.tensor(means, dtype=torch.float64)
            a_s, a_t = (float(schedule.alpha_bar[u]) for u in (t - 1, t))
            alpha, beta = float(schedule.alpha[t]), float(schedule.beta[t])
            of_0, of_t = a_s**0.5 * beta / (1 - a_t), (1 - a_s) / (1 - a_t)
            bug, right = a_t**0.5 * of_t * x_t, alpha**0.5 * of_t * x_t
            mistakes = {
                "sqrt(alpha_bar_t) still on x_t": of_0 * x_0 + bug,
                "sqrt(alpha_bar_{t-1}) on x_t": of_0 * x_0
                + a_s**0.5 * of_t * x_t,
                "sqrt(alpha_t) on x_0": alpha**0.5 * beta / (1 - a_t) * x_0
                + alpha**0.5 * of_t * x_t,
                "alpha_t without its root": of_0 * x_0 + alpha * of_t * x_t,
                "the weights exchanged": alpha**0.5 * of_t * x_0 + of_0 * x_t,
                "sqrt(alpha_bar_t) on x_0": a_t**0.5 * beta / (1 - a_t) * x_0
                + alpha**0.5 * of_t * x_t,
                "sqrt(alpha_bar_t) still on x_t, and another weight on x_0": (
                    bug + x_0 * ((got - bug) / x_0).mean()
                ),
                "a wrong weight on x_0; that on x_t is right": (
                    right + x_0 * ((got - right) / x_0).mean()
                ),
                "a wrong weight on x_t; that on x_0 is right": (
                    of_0 * x_0 + x_t * ((got - of_0 * x_0) / x_t).mean()
                ),
            }
            n = int((got - mean).abs().argmax())
            expect(
                near(got, mean, 1e-3),
                f"At t = {t} of {T}, with x_0 = {x_0[n]:.3f} and x_t = "
                f"{x_t[n]:.3f}, the mean is {mean[n]:.4f}, not {got[n]:.4f}."
                + looks_like(got, mistakes),
            )
    return "twelve places, by Bayes' rule on a grid."
