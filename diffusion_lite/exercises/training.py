"""Checks of chapter 5: the loops that learn and that draw."""

import torch
from torch import Tensor

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.trial import (
    Trial,
    exercise,
    expect,
    looks_like,
    near,
    one_number,
)
from diffusion_lite.schedules import Schedule


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
            factor, root = beta / (1 - a_t) ** 0.5, alpha**0.5
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
                "the root of beta where beta belongs": (
                    x_t - beta**0.5 / (1 - a_t) ** 0.5 * eps
                )
                / root,
                "the division by the root of alpha forgotten": x_t
                - factor * eps,
                "alpha under the root where alpha_bar belongs": (
                    x_t - beta**0.5 * eps
                )
                / root,
                "1 - alpha_bar for beta": (x_t - (1 - a_t) ** 0.5 * eps)
                / root,
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
    start, weight, last = (trial.normal(2, 3) for _ in range(3))
    rest, mean, end = torch.ones(3), start.clone(), start.clone()
    means, weights = [mean, rest.clone(), end], [weight, rest, last]
    given = list(means)
    held = [each.clone() for each in weights]
    trial.direct(means, weights, d)
    expect(
        all(map(torch.equal, weights, held)),
        "It changes the weights: only the means may move.",
    )
    expect(
        not near(means[0], start) or means[0] is not mean,
        "Nothing has moved. In place: mean.copy_(...), or mean.lerp_(...).",
    )
    expect(
        len(means) == 3
        and all(a is b for a, b in zip(means, given, strict=True))
        and not near(mean, start),
        "Change the tensors in place; make no new ones, and no new list.",
    )
    for got, to in ((mean, weight), (end, last)):
        mistakes = {
            "d and 1 - d exchanged": (1 - d) * start + d * to,
            "factors whose sum is not 1": d * start + to,
            "the weight added whole": start + (1 - d) * to,
            "the weight itself, d has no part": to,
            "a mean of both, half and half": (start + to) / 2,
        }
        expect(
            got is mean or not near(got, start),
            "The first tensor of the list has moved, the last has not: is a "
            "return inside the loop?",
        )
        expect(
            near(got, d * start + (1 - d) * to),
            f"With d = {d:.3f} the mean must move by 1 - d of the way to the "
            "weight, and does not." + looks_like(got, mistakes),
        )
    expect(near(means[1], rest), "A mean that is there already stays.")
    return "two steps and a rest, each pair of the list."


@exercise("training-3")
def the_walk_back_that_is_wrong(trial: Trial) -> str:
    """Listen to what a mended sampler asks, and look at each of its steps.

    False alarms: 88 bounds of five standard errors on the steps, one on the
    shape: below 1e-4 in all.
    """
    schedule = some_schedule(trial, 12)
    asked: list = []

    def eps_model(x_t: Tensor, t: Tensor) -> Tensor:
        asked.append((x_t, t))
        return eps_of(x_t, t, schedule)

    def ends(n: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        asked.clear()
        return trial.tensor(
            eps_model, x_T[:n], schedule, generator, shape=(n, 2)
        )

    x_T = trial.normal(2000, 2)
    once, again, other = ends(5, 1), ends(5, 1), ends(5, 2)  # small ones first
    for _, t in asked:
        expect(
            isinstance(t, Tensor) and t.shape == (5,) and is_whole(t),
            "The network must get a tensor (B,) of whole numbers as t.",
        )
    heard = [int(t[0]) for _, t in asked]
    expect(
        heard == list(range(12, 0, -1)),
        f"With T = 12 it asks the network at t = {heard}, and must ask at "
        "12, 11, ..., 1.",
    )
    expect(
        near(once, again) and not near(once, other),
        "Draw the noise from the generator that is given, and from no other.",
    )
    x_0 = ends(2000, trial.integer(0, 10**6))
    path = [x_t.double() for x_t, _ in asked] + [x_0]
    shape = torch.cat(
        [
            noise_of_step(path[12 - t], path[13 - t], t, schedule)
            for t in range(12, 1, -1)
        ]
    )
    fourth = float(shape.pow(4).mean() / shape.var() ** 2)
    expect(
        abs(fourth - 3) < 5 * (24 / shape.numel()) ** 0.5,
        "The noise of the steps has the right width and the wrong shape: its "
        f"fourth moment is {fourth:.2f}, and 3 if it is Gaussian.",
    )
    off = path[12] - step_mean(path[11], 1, schedule)
    expect(
        float(off.abs().max()) < 1e-4,
        "The last step, from 1 to 0, must add no noise and do no more: it is "
        f"off by up to {float(off.abs().max()):.3f} from its mean.",
    )
    return "what it asks, each step's mean and noise, and its last, quiet one."


def eps_of(x_t: Tensor, t: Tensor | int, schedule: Schedule) -> Tensor:
    """Return the best guess of the noise if all data are N(0, 1)."""
    alpha_bar = schedule.alpha_bar[torch.as_tensor(t).long()]
    return (1 - alpha_bar).sqrt().reshape(-1, 1) * x_t


def is_whole(t: Tensor) -> bool:
    """Return whether a tensor holds whole numbers."""
    return not t.is_floating_point() and not t.is_complex()


def step_mean(x_t: Tensor, t: int, schedule: Schedule) -> Tensor:
    """Return where a step back from t leads on the mean, for that guess."""
    factor = schedule.beta[t] / (1 - schedule.alpha_bar[t]).sqrt()
    eps = eps_of(x_t, t, schedule)
    return (x_t - factor * eps) / schedule.alpha[t].sqrt()


def noise_of_step(
    x_t: Tensor, x_s: Tensor, t: int, schedule: Schedule
) -> Tensor:
    """Return the noise of a step back, (B, D), of variance 1.

    Raises:
        Refused: it has another mean or width than it must, or leans on the
            point, or is one for all columns.
    """
    where, beta = f"In the step from {t} to {t - 1} ", float(schedule.beta[t])
    expect(not near(x_s, x_t), f"{where}x stays where it is.")
    z = (x_s - step_mean(x_t, t, schedule)) / beta**0.5
    bound = 5 / z.numel() ** 0.5
    lean = float((z * x_t).mean() / (z.std() * x_t.std() + 1e-12))
    expect(
        abs(float(z.mean())) < bound * max(1.0, float(z.std()))
        and abs(lean) < bound,
        f"{where}the mean is not that of the step back for eps_hat.",
    )
    variance, a_s = float(z.var()), float(schedule.alpha_bar[t - 1])
    smaller = (1 - a_s) / (1 - float(schedule.alpha_bar[t]))
    wide = [
        v
        for v in (1.0, smaller)  # both are variances that the book uses
        if abs(variance / v - 1) < 5 * (2 / z.numel()) ** 0.5
    ]
    mistakes = {"no noise at all": 0.0, "beta without its root": beta}
    expect(
        bool(wide),
        f"{where}the noise must have the width sqrt(beta) = {beta**0.5:.3f}, "
        f"and has {(variance * beta) ** 0.5:.3f}."
        + looks_like(variance, mistakes, 0.1),
    )
    z = z / wide[0] ** 0.5
    expect(
        abs(float((z[:, 0] * z[:, 1]).mean())) < 5 / len(z) ** 0.5,
        f"{where}all entries of a point get one noise: randn(x.shape) draws "
        "one for each.",
    )
    return z


@exercise("training-4")
def the_loss_that_is_wrong(trial: Trial) -> str:
    """Hand a mended loss a network that always says 1, and look on.

    False alarms: five bounds of five standard errors, and one of one in a
    million on the times: below 1e-5.
    """
    schedule = some_schedule(trial, 50)
    x_0 = trial.uniform(1.5, 2.0) * trial.normal(8000, 2)
    asked: list = []
    weight = torch.ones((), requires_grad=True)

    def says_1(x_t: Tensor, t: Tensor) -> Tensor:
        asked.append((x_t, t))
        return weight.to(x_t.dtype) * torch.ones_like(x_t)

    def shown(x_0: Tensor) -> tuple:
        """Return the loss, and what the network was shown."""
        asked.clear()
        loss = trial.call(says_1, x_0, schedule, trial.generator)
        expect(bool(asked), "It never asks the network.")
        (x_t, t), B = asked[-1], len(x_0)
        expect(
            isinstance(t, Tensor) and t.shape == (B,) and is_whole(t),
            "The network must get a time for each example, a tensor (B,) of "
            "whole numbers.",
        )
        expect(
            isinstance(x_t, Tensor) and x_t.shape == x_0.shape,
            f"The network must get an x_t of the shape {tuple(x_0.shape)}, "
            f"as x_0, and gets {tuple(x_t.shape)}.",
        )
        expect(
            isinstance(loss, Tensor) and loss.shape == (),
            "Return one number as a tensor: a float has no slopes, and "
            "nothing can learn from it.",
        )
        expect(
            loss.requires_grad,
            "What it returns has no slopes, and nothing can learn from it: no "
            "detach, no no_grad around the network, no torch.tensor(loss).",
        )
        return one_number(loss, "It returns"), x_t.double(), t

    shown(x_0[:5])  # a small one first
    loss, x_t, t = shown(x_0)
    times = [t]
    run_from_1_to(50, t)
    a = schedule.alpha_bar[t][:, None]
    eps = (x_t - a.sqrt() * x_0) / (1 - a).sqrt()
    for x_s, what in ((0 * x_0, "noise"), (0 * x_0 + 1e6, "signal")):
        _, x, s = shown(x_s)
        times.append(s)
        b = schedule.alpha_bar[s][:, None]
        wide = float((x**2 / (b * x_s**2 + 1 - b)).mean())
        expect(
            abs(wide - 1) < 5 * (2 / x.numel()) ** 0.5,
            f"In the x_t that the network sees the {what} is wrong: on the "
            f"mean its square is {wide:.3f} times what q(x_t | x_0) says.",
        )
    bound = 5 / len(eps) ** 0.5
    expect(
        abs(float(eps.mean())) < bound
        and abs(float((eps[:, 0] * eps[:, 1]).mean())) < bound,
        "The noise must have the mean 0, and each entry of x_0 its own: "
        "randn(x_0.shape).",
    )
    come_alike(torch.cat(times), 50)
    want = float((eps - 1).square().mean())
    mistakes = {
        "a sum over D, and a mean over the batch": 2 * want,
        "x_0 in the place of eps": float((x_0 - 1).square().mean()),
        "x_t in the place of eps": float((x_t - 1).square().mean()),
        "a variance, which does not see a mean": float(eps.var()),
        "the root of the mean square": want**0.5,
        "the size of the error, without the square": float(
            (eps - 1).abs().mean()
        ),
    }
    expect(
        near(loss, want),
        f"A network that always says 1 must have the loss {want:.3f}, the "
        f"mean of (eps - 1)^2; yours is {loss:.3f}."
        + looks_like(loss, mistakes),
    )
    return "the times, what the network sees, and the loss of one that says 1."


def run_from_1_to(T: int, t: Tensor) -> None:
    """Refuse times that do not reach both ends, or go on."""
    low, high = int(t.min()), int(t.max())
    late = " randint(low, high) never gives high." if high == T - 1 else ""
    expect(
        (low, high) == (1, T),
        f"The times run from {low} to {high}, and must run from 1 to T = {T}, "
        f"both included.{late}",
    )


def come_alike(t: Tensor, T: int) -> None:
    """Refuse times of which some come more often than others.

    One in a million that are drawn rightly is refused.
    """
    from scipy import stats

    counts = t.bincount(minlength=T + 1)[1:]
    expect(
        stats.chisquare(counts.numpy()).pvalue > 1e-6,
        "Each example must get a time of its own, and each t must come as "
        f"often as the others: of {len(t)} one came {int(counts.max())} "
        f"times, and one {int(counts.min())} times.",
    )
