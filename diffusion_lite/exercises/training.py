"""Checks of chapter 5: the loops that learn and that draw."""

import torch

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.trial import (
    Trial,
    exercise,
    expect,
    looks_like,
    near,
)
from diffusion_lite.schedules import linear_schedule


@exercise("training-1")
def the_step_back(trial: Trial) -> str:
    """Hold the mean against the way through x_0."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        for t in (trial.integer(T // 3, T - 2), 1):
            x_t, eps = trial.normal(3, 2), trial.normal(3, 2)
            a_t, alpha, beta = (
                float(table[t])
                for table in (
                    schedule.alpha_bar,
                    schedule.alpha,
                    schedule.beta,
                )
            )
            a_s = float(schedule.alpha_bar[t - 1])
            x_0 = (x_t - (1 - a_t) ** 0.5 * eps) / a_t**0.5
            want = (a_s**0.5 * beta * x_0 + alpha**0.5 * (1 - a_s) * x_t) / (
                1 - a_t
            )
            got = trial.tensor(x_t, t, eps, schedule, shape=(3, 2))
            factor = beta / (1 - a_t) ** 0.5
            mistakes = {
                "1 - alpha_bar without its root": (
                    x_t - beta / (1 - a_t) * eps
                )
                / alpha**0.5,
                "a division by alpha without its root": (x_t - factor * eps)
                / alpha,
                "a division by the root of alpha_bar": (x_t - factor * eps)
                / a_t**0.5,
                "the noise of all steps taken off at once": x_0,
                "the noise added, not taken off": (x_t + factor * eps)
                / alpha**0.5,
                "the noise taken off after the division": x_t / alpha**0.5
                - factor * eps,
                "the root of beta": (x_t - beta**0.5 / (1 - a_t) ** 0.5 * eps)
                / alpha**0.5,
            }
            expect(
                near(got, want),
                f"At t = {t} of {T} it is off by up to "
                f"{float((got - want).abs().max()):.4f} from the posterior's "
                "mean for the x_0 that eps_hat implies."
                + looks_like(got, mistakes),
            )
    return "two schedules, at t = 1 and in the middle, through x_0."


@exercise("training-2")
def the_moving_mean(trial: Trial) -> str:
    """Look at one update, at a rest, and at what is left of the start."""
    d = trial.uniform(0.9, 0.99)
    start, weight = trial.normal(2, 3), trial.normal(2, 3)
    mean = start.clone()
    means, weights = [mean, torch.ones(3)], [weight.clone(), torch.ones(3)]
    trial.direct(means, weights, d)
    expect(
        near(weights[0], weight),
        "It changes the weights: only the means may move.",
    )
    expect(
        not near(means[0], start) or means[0] is not mean,
        "Nothing has moved. In place: mean.copy_(...), or mean.lerp_(...).",
    )
    expect(
        means[0] is mean and not near(mean, start),
        "Change the tensors in place; make no new ones, and no new list.",
    )
    want = d * start + (1 - d) * weight
    mistakes = {
        "d and 1 - d exchanged": (1 - d) * start + d * weight,
        "factors whose sum is not 1": d * start + weight,
        "the weight added whole": start + (1 - d) * weight,
        "the weight itself, d has no part": weight,
        "a mean of both, half and half": (start + weight) / 2,
    }
    expect(
        near(mean, want),
        f"With d = {d:.3f} the mean must move by 1 - d of the way to the "
        "weight, and does not." + looks_like(mean, mistakes),
    )
    expect(
        near(means[1], torch.ones(3)),
        "Every pair must move, and a mean that is there already stays.",
    )
    return "a step, a rest, and both tensors of the list."


@exercise("training-3")
def the_walk_back_that_is_wrong(trial: Trial) -> str:
    """Listen to what a mended sampler asks, and look at where it ends.

    False alarms: the width is within five standard errors, twice: below
    1e-5.
    """
    schedule = some_schedule(trial, 12)
    asked = []

    def eps_model(x_t, t):
        asked.append(t.clone())
        return (1 - schedule.alpha_bar[t][:, None]).sqrt() * x_t

    n = 4000
    x_T = trial.normal(n, 1)
    generator = trial.generator
    x_0 = trial.tensor(eps_model, x_T, schedule, generator, shape=(n, 1))
    heard = [int(t.flatten()[0]) for t in asked]
    expect(
        heard == list(range(12, 0, -1)),
        f"With T = 12 it asks the network at t = {heard}, and must ask at "
        "12, 11, ..., 1.",
    )
    spread = float(x_0.std())
    expect(
        abs(spread - 1) < 5 / (2 * n) ** 0.5 + 0.02,
        "On data N(0, 1), with the best denoiser, x_0 must have the standard "
        f"deviation 1, and has {spread:.3f}: is the noise of a step as wide "
        "as the root of beta?",
    )
    short = linear_schedule(1)
    x_1 = trial.normal(50, 1)
    again = [
        trial.tensor(
            lambda x, t: 0 * x,
            x_1,
            short,
            torch.Generator().manual_seed(k),
            shape=(50, 1),
        )
        for k in (1, 2)
    ]
    expect(
        near(*again),
        "The last step must add no noise: with T = 1 the same x_T must end at "
        "the same x_0, whatever the generator.",
    )
    return "what it asks, how wide it ends, and that its last step is quiet."


@exercise("training-4")
def the_loss_that_is_wrong(trial: Trial) -> str:
    """Hand a mended loss the best denoiser, and one that always says 0.

    False alarms: each mean is within five standard errors: below 1e-5.
    """
    schedule = some_schedule(trial, 50)
    n, c = 8000, trial.uniform(2.0, 4.0)
    x_0 = c**0.5 * trial.normal(n, 1)
    seen = []

    def silent(x_t, t):
        seen.append((x_t, t))
        return torch.zeros_like(x_t)

    loss = trial.number(silent, x_0, schedule, trial.generator)
    expect(bool(seen), "It never asks the network.")
    x_t, t = seen[-1]
    expect(
        isinstance(t, torch.Tensor) and t.shape == (n,),
        "The network must get a time for each example, a tensor (B,).",
    )
    low, high = int(t.min()), int(t.max())
    expect(
        low >= 1 and high <= 50 and low <= 2 and high >= 49,
        f"The times run from {low} to {high}, and must run from 1 to T = 50, "
        "all of them.",
    )
    expect(
        len(t.unique()) > 40,
        "All examples get nearly the same time: draw one for each.",
    )
    for x_s, what in ((0.0, "noise"), (1e6, "signal")):
        trial.number(silent, 0 * x_0 + x_s, schedule, trial.generator)
        x_t, t = seen[-1]
        a = schedule.alpha_bar[t]
        wide = float((x_t[:, 0] ** 2 / (a * x_s**2 + 1 - a)).mean())
        expect(
            abs(wide - 1) < 5 * (2 / n) ** 0.5,
            f"In the x_t that the network sees the {what} is wrong: on the "
            f"mean its square is {wide:.3f} times what q(x_t | x_0) says.",
        )
    expect(
        abs(loss - 1) < 5 * (2 / n) ** 0.5,
        "A network that always says 0 must have the loss 1, the mean square "
        f"of eps; yours is {loss:.3f}: what is the network held against?",
    )

    def best(x_t, t):
        a = schedule.alpha_bar[t][:, None]
        return (1 - a).sqrt() / (a * c + 1 - a) * x_t

    t_all = torch.arange(1, 51)
    a = schedule.alpha_bar[t_all]
    floor = float((a * c / (a * c + 1 - a)).mean())
    found = trial.number(best, x_0, schedule, trial.generator)
    expect(
        abs(found - floor) < 5 * (3 / n) ** 0.5,
        f"The best denoiser must come to the floor, {floor:.3f}, and has "
        f"{found:.3f}.",
    )
    return "what the network sees, the loss of a silent one, and the floor."
