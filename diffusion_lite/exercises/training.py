"""Checks of chapter 5: the loops that learn and that sample."""

from typing import Any

import torch
from torch import Tensor

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.trial import (
    Answer,
    Refused,
    Trial,
    exercise,
    expect,
    near,
    one_number,
    versus,
    worst,
)
from diffusion_lite.parameterization import eps_from_x_0, x_0_from_eps
from diffusion_lite.posterior import posterior_mean, posterior_variance
from diffusion_lite.schedules import Schedule


@exercise("training-1")
def the_step_back(trial: Trial) -> str:
    """Hold the mean against the way through x_0."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        for t in (trial.integer(T // 3, T // 2), 1):
            x_t, eps = trial.normal(3, 2), trial.normal(3, 2)
            x_0 = x_0_from_eps(x_t, t, eps, schedule)
            trial.agrees(
                trial.tensor(x_t, t, eps, schedule, shape=(3, 2)),
                posterior_mean(x_0, x_t, t, schedule),
                f"At t = {t} of {T}, where it is furthest from the "
                "posterior's mean for the x_0 that eps_hat implies",
                lambda mistake, given=(x_t, t, eps, schedule): mistake(*given),
            )
    return "two schedules, at t = 1 and in the middle, through x_0."


@exercise("training-2")
def the_moving_mean(trial: Trial) -> str:
    """Look at one update, at a rest, and at what is left of the start."""
    d = trial.uniform(0.9, 0.99)
    starts, weights = (
        [trial.normal(2, 3), torch.ones(3), trial.normal(2, 3)]
        for _ in range(2)
    )
    means, given = copies(starts), copies(weights)
    held = list(means)
    trial.direct(means, given, d)
    expect(
        all(map(torch.equal, given, weights)),
        "It changes the weights: only the means may move.",
    )
    moved_in_place(means, held, starts)
    for n in (0, 2):

        def made(mistake: Answer, n: int = n) -> Tensor:
            means = copies(starts)
            mistake(means, copies(weights), d)
            return means[n]

        trial.agrees(
            means[n],
            d * starts[n] + (1 - d) * weights[n],
            f"With d = {d:.3f} the mean must move by 1 - d of the way to the "
            "weight",
            made,
        )
    expect(near(means[1], 1.0), "A mean that is there already stays.")
    return "two steps and a rest, each pair of the list."


def copies(tensors: list[Tensor]) -> list[Tensor]:
    """Return a list of tensors that may be changed."""
    return [tensor.clone() for tensor in tensors]


def moved_in_place(
    means: list[Tensor], held: list[Tensor], starts: list[Tensor]
) -> None:
    """Refuse means that are not those held, or of which one has not moved."""
    expect(
        not near(means[0], starts[0]) or means[0] is not held[0],
        "Nothing has moved. In place: mean.copy_(...), or mean.lerp_(...).",
    )
    expect(
        len(means) == 3
        and all(a is b for a, b in zip(means, held, strict=True))
        and not near(means[0], starts[0]),
        "Change the tensors in place; make no new ones, and no new list.",
    )
    expect(
        not near(means[2], starts[2]),
        "The first tensor of the list has moved, the last has not: is a "
        "return inside the loop?",
    )


@exercise("training-3")
def the_sampler_that_is_wrong(trial: Trial) -> str:
    """Listen to what a mended sampler asks, and look at each of its steps.

    False alarms: 88 bounds of five standard errors on the steps, one on the
    shape: below 1e-4 in all.
    """
    schedule, asked = some_schedule(trial, 12), []

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
        are_times(t, 5)
    heard = [int(t[0]) for _, t in asked]
    expect(
        heard == list(range(12, 0, -1)),
        f"With T = 12 it asks the network at the wrong t: yours {heard}, "
        "should be 12, 11, ..., 1.",
    )
    expect(
        near(once, again) and not near(once, other),
        "Take the noise from the generator that is given, and from no other.",
    )
    x_0 = ends(2000, trial.integer(0, 10**6))
    steps_are_right([*(x_t.double() for x_t, _ in asked), x_0], schedule)
    return "what it asks, the noise of each step, and that the last has none."


def eps_of(x_t: Tensor, t: Tensor | int, schedule: Schedule) -> Tensor:
    """Return the best guess of the noise if all data are N(0, 1)."""
    alpha_bar = schedule.alpha_bar[torch.as_tensor(t).long()]
    return (1 - alpha_bar).sqrt().reshape(-1, 1) * x_t


def are_times(t: Tensor, B: int) -> None:
    """Refuse what is no tensor (B,) of whole numbers."""
    expect(
        isinstance(t, Tensor)
        and t.shape == (B,)
        and not t.is_floating_point()
        and not t.is_complex(),
        "The network must get a time for each example, a tensor (B,) of "
        "whole numbers.",
    )


def steps_are_right(path: list[Tensor], schedule: Schedule) -> None:
    """Refuse a path from x_T to x_0 whose noise is wrong, or its last step."""
    noises = [
        noise_of_step(path[12 - t], path[13 - t], t, schedule)
        for t in range(12, 1, -1)
    ]
    shape = torch.cat(noises)
    fourth = float(shape.pow(4).mean() / shape.var() ** 2)
    expect(
        abs(fourth - 3) < 5 * (24 / shape.numel()) ** 0.5,
        "The noise of the steps has the right variance and the wrong shape. "
        f"Its fourth moment: {versus(fourth, 3)}",
    )
    end, want = path[12].flatten(), step_mean(path[11], 1, schedule).flatten()
    n = worst(end, want)
    expect(
        bool(abs(end[n] - want[n]) < 1e-4),
        "The last step, from 1 to 0, must add no noise and do no more than "
        f"go to its mean: {versus(end[n], want[n])}",
    )


def step_mean(x_t: Tensor, t: int, schedule: Schedule) -> Tensor:
    """Return where a step back from t leads on the mean, for that guess."""
    x_0 = x_0_from_eps(x_t, t, eps_of(x_t, t, schedule), schedule)
    return posterior_mean(x_0, x_t, t, schedule)


def noise_of_step(
    x_t: Tensor, x_s: Tensor, t: int, schedule: Schedule
) -> Tensor:
    """Return the noise of a step back, (B, D), of variance 1.

    Raises:
        Refused: it has another mean or variance than it must, or depends on
            the point, or is one for all columns.
    """
    where, beta = f"In the step from {t} to {t - 1} ", float(schedule.beta[t])
    expect(not near(x_s, x_t), f"{where}x stays where it is.")
    z = (x_s - step_mean(x_t, t, schedule)) / beta**0.5
    bound = 5 / z.numel() ** 0.5
    slope = float((z * x_t).mean() / (z.std() * x_t.std() + 1e-12))
    expect(
        abs(float(z.mean())) < bound * max(1.0, float(z.std()))
        and abs(slope) < bound,
        f"{where}the mean is not that of the step back for eps_hat.",
    )
    variance = float(z.var())
    expect(variance > 1e-7, f"{where}there is no noise.")
    smaller = float(posterior_variance(t, schedule)) / beta
    known = [
        v
        for v in (1.0, smaller)  # both are variances that the book uses
        if abs(variance / v - 1) < 2**0.5 * bound
    ]
    why = " Is beta there without its root?" * near(variance, beta, 0.1)
    expect(
        bool(known),
        f"{where}the noise's standard deviation, sqrt(beta), is wrong: "
        f"{versus((variance * beta) ** 0.5, beta**0.5)}{why}",
    )
    z = z / known[0] ** 0.5
    expect(
        abs(float((z[:, 0] * z[:, 1]).mean())) < 5 / len(z) ** 0.5,
        f"{where}all entries of a point get one noise: randn(x.shape) has "
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
    x_0 = trial.normal(8000, 2) - trial.uniform(3.5, 4.5)
    loss_and_inputs(trial, x_0[:5], schedule)  # a small one first
    loss, x_t, t = loss_and_inputs(trial, x_0, schedule)
    run_from_1_to(50, t)
    times = [t]
    for x_s, what in ((0 * x_0, "noise"), (0 * x_0 + 1e6, "signal")):
        _, x, s = loss_and_inputs(trial, x_s, schedule)
        times.append(s)
        a = schedule.alpha_bar[s][:, None]
        ratio = float((x**2 / (a * x_s**2 + 1 - a)).mean())
        expect(
            abs(ratio - 1) < 5 * (2 / x.numel()) ** 0.5,
            f"In the x_t that the network sees the {what} is wrong. Its mean "
            f"square, over that of q(x_t | x_0): {versus(ratio, 1)}",
        )
    eps = eps_from_x_0(x_t, t, x_0, schedule)
    bound = 5 / len(eps) ** 0.5
    expect(
        abs(float(eps.mean())) < bound
        and abs(float((eps[:, 0] * eps[:, 1]).mean())) < bound,
        "The noise must have the mean 0, and each entry of x_0 its own: "
        "randn(x_0.shape).",
    )
    come_alike(torch.cat(times), 50)
    is_the_mean_square(trial, loss, eps, x_0, schedule)
    return "the times, what the network sees, and the loss of one that says 1."


def loss_and_inputs(
    trial: Trial, x_0: Tensor, schedule: Schedule
) -> tuple[Any, ...]:
    """Return the loss of a network that says 1, and the x_t and t it gets."""
    asked: list[tuple[Tensor, Tensor]] = []
    weight = torch.ones((), requires_grad=True)

    def says_1(x_t: Tensor, t: Tensor) -> Tensor:
        asked.append((x_t, t))
        return weight.to(x_t.dtype) * torch.ones_like(x_t)

    loss = trial.call(says_1, x_0, schedule, trial.generator)
    expect(bool(asked), "It never asks the network.")
    x_t, t = asked[-1]
    are_times(t, len(x_0))
    expect(
        isinstance(x_t, Tensor) and x_t.shape == x_0.shape,
        f"The network must get an x_t of the shape {tuple(x_0.shape)}, "
        f"as x_0, and gets {tuple(x_t.shape)}.",
    )
    expect(
        isinstance(loss, Tensor) and loss.shape == (),
        "Return one number as a tensor: a float has no slopes, and nothing "
        "can learn from it.",
    )
    expect(
        loss.requires_grad,
        "What it returns has no slopes, and nothing can learn from it: no "
        "detach, no no_grad around the network, no torch.tensor(loss).",
    )
    return one_number(loss, "It returns"), x_t.double(), t


def is_the_mean_square(
    trial: Trial, loss: float, eps: Tensor, x_0: Tensor, schedule: Schedule
) -> None:
    """Refuse another loss than a network that says 1 has for this noise.

    A mistake has noise of its own, and x_0 is so far from 0 that all differ.
    """

    def made(mistake: Answer) -> Any:
        return mistake(
            lambda x_t, t: torch.ones_like(x_t),
            x_0,
            schedule,
            trial.generator,
        )

    want = float((eps - 1).square().mean())
    if not near(loss, want):
        raise Refused(
            "The loss of a network that always says 1, the mean of (eps - "
            f"1)^2, is wrong: {versus(loss, want)}"
            f"{trial.looks_like(loss, made, 0.08)}"
        )


def run_from_1_to(T: int, t: Tensor) -> None:
    """Refuse times that do not reach both ends, or go on."""
    low, high = int(t.min()), int(t.max())
    late = " randint(low, high) never gives high." if high == T - 1 else ""
    expect(
        (low, high) == (1, T),
        "The times must run from 1 to T, both included: yours from "
        f"{low} to {high}, should be from 1 to {T}.{late}",
    )


def come_alike(t: Tensor, T: int) -> None:
    """Refuse times of which some come more often than others.

    One in a million that are sampled rightly is refused.
    """
    from scipy import stats

    counts = t.bincount(minlength=T + 1)[1:]
    expect(
        stats.chisquare(counts.numpy()).pvalue > 1e-6,
        "Each example must get a time of its own, and each t must come as "
        f"often as the others: of {len(t)} one came {int(counts.max())} "
        f"times, and one {int(counts.min())} times.",
    )
