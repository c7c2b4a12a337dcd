"""Checks of chapter 3: what the network should minimise."""

import math

import torch
from torch import Tensor

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.trial import (
    Refused,
    Trial,
    advising,
    exercise,
    expect,
    near,
    versus,
    worst,
)


@exercise("elbo-1")
def two_gaussians(trial: Trial) -> str:
    """Hold the divergence against a sum over a grid."""
    columns = [
        [trial.uniform(low, high) for _ in range(3)]
        for low, high in ((-1.5, -0.5), (0.3, 0.8), (0.2, 1.0), (1.2, 3.0))
    ]
    given = torch.tensor(columns, dtype=torch.float64)
    for m_1, v_1, m_2, v_2 in (given, given.roll(2, 0)):
        each = "There must be one divergence for each of the three."
        one = "math.log takes one number, torch.log takes all three."
        with (
            advising(each, "it must be (3,)", "not a tensor"),
            advising(one, "converted to"),
        ):
            got = trial.tensor(m_1, v_1, m_2, v_2, shape=(3,))
        want = on_a_grid(m_1, v_1, m_2, v_2)
        n = worst(got, want)
        below = ", which is never below 0," * bool(got[n] < 0)
        trial.agrees(
            got,
            want,
            f"From N({m_1[n]:.2f}, {v_1[n]:.2f}) to N({m_2[n]:.2f}, "
            f"{v_2[n]:.2f}) the divergence in nats{below} is wrong",
            lambda mistake, given=(m_1, v_1, m_2, v_2): mistake(*given),
        )
    same = trial.one(0.7)
    at_once = float(trial.tensor(same, same, same, same, shape=(1,)))
    expect(
        near(at_once, 0.0),
        f"Of equal distributions it is wrong: {versus(at_once, 0)}",
    )
    return "six pairs of distributions on a grid, and two equal ones."


def on_a_grid(m_1: Tensor, v_1: Tensor, m_2: Tensor, v_2: Tensor) -> Tensor:
    """Return the divergence of Gaussians on a line, by sums, (N,)."""
    x = torch.linspace(-16, 16, 40_001, dtype=torch.float64)[:, None]
    log_p, log_q = (
        -((x - m) ** 2) / (2 * v) - (2 * math.pi * v).log() / 2
        for m, v in ((m_1, v_1), (m_2, v_2))
    )
    cell = float(x[1] - x[0])
    return (log_p.exp() * (log_p - log_q)).sum(0) * cell


@exercise("elbo-2")
def what_an_error_costs(trial: Trial) -> str:
    """Hold the weight against a divergence of two steps back."""
    for T in (20, 100, 1000):
        schedule = some_schedule(trial, T)
        t = trial.integer(2, T - 2)
        beta, alpha = float(schedule.beta[t]), float(schedule.alpha[t])
        a = float(schedule.alpha_bar[t])
        # Two means that differ by an error of 1 in eps, of variance beta.
        off = beta / (alpha * (1 - a)) ** 0.5
        want = off**2 / (2 * beta)
        got = trial.number(t, schedule)
        trial.agrees(
            got,
            want,
            f"At t = {t} of {T} w_t is wrong, the nats between two steps "
            "back whose eps differ by 1",
            lambda mistake, given=(t, schedule): mistake(*given),
        )
    return "three times on three schedules, as the divergence of two steps."


@exercise("elbo-3")
def a_pixel_in_levels(trial: Trial) -> str:
    """Hold the probabilities against a sum of the density over each level."""
    for n in (17, 5, 256):
        for mean, std in (
            (trial.uniform(-0.5, 0.5), trial.uniform(0.1, 0.3)),
            (trial.uniform(1.2, 2.0), trial.uniform(0.3, 0.6)),
            (trial.uniform(-2.0, -1.2), trial.uniform(0.3, 0.6)),
        ):
            levels_of_one(trial, mean, std, n)
    return "nine Gaussians, six of them outside, on a fine grid."


def levels_of_one(trial: Trial, mean: float, std: float, n: int) -> None:
    """Refuse the levels of a Gaussian that are not as they must be."""
    p = trial.tensor(mean, std, n, shape=(n,))
    want, where = in_levels(mean, std, n), f"mean {mean:.2f}, std {std:.2f}"
    where, total = f"With {where} and n = {n}", float(p.sum())
    k = worst(p, want)
    level = (
        f"{where} level {k}, counted from 0, is wrong: "
        f"{versus(float(p[k]), float(want[k]))}"
    )
    right = float((p - want).abs().max()) < 2e-3
    if right and bool((p >= -1e-9).all()) and abs(total - 1) < 1e-5:
        return
    named = trial.looks_like(p, lambda wrong: wrong(mean, std, n), 1e-5)
    expect(not named, f"{level}{named}")
    expect(bool((p >= -1e-9).all()), f"{where} one probability is below 0.")
    expect(
        total < 1 + 1e-5,
        f"{where} their sum is more than 1, the levels overlap: "
        f"{versus(total, 1)} Are the borders half a step away?",
    )
    expect(
        total > 1 - 1e-5,
        f"{where} their sum is less than 1: {versus(total, 1)} Do both outer "
        "levels get their tails?",
    )
    raise Refused(f"{level} Are the borders half way to its neighbours?")


def in_levels(mean: float, std: float, n: int) -> Tensor:
    """Return the probability of each level, by a sum over a fine grid."""
    x = mean + std * torch.linspace(-9, 9, 40_001, dtype=torch.float64)
    mass = (-((x - mean) ** 2) / (2 * std**2)).softmax(0)
    nearest = ((x + 1) * (n - 1) / 2).round().clamp(0, n - 1).long()
    return torch.zeros(n).double().index_add_(0, nearest, mass)


@exercise("elbo-4")
def the_bits_that_are_wrong(trial: Trial) -> str:
    """Hold mended bits per dimension against data of known entropy."""
    for levels in (5, 17, 256):
        D, width = trial.integer(2, 64), 2 / (levels - 1)
        lost = trial.uniform(0.0, 2.0)
        # Even over all levels: log2(levels) bits a dimension, whatever the
        # scale of x. Each level is width wide; lost nats come on top.
        nats = D * math.log(levels * width) + lost
        want = math.log2(levels) + lost / (D * math.log(2))
        got = trial.number(nats, D, levels)
        trial.agrees(
            got,
            want,
            f"For a density of {nats:.3f} nats over {D} pixels with {levels} "
            "levels from -1 to 1 the bits a dimension are wrong",
            lambda mistake, given=(nats, D, levels): mistake(*given),
        )
    return "three numbers of levels, against uniform levels and nats on top."
