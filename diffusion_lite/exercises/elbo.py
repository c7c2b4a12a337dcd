"""Checks of chapter 3: what the network should minimise."""

import math

import torch
from torch import Tensor

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.trial import (
    Trial,
    advising,
    exercise,
    expect,
    looks_like,
    near,
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
        squared, logs = (m_1 - m_2) ** 2, (v_2 / v_1).log()
        mistakes = {
            "the divergence the other way round": on_a_grid(
                m_2, v_2, m_1, v_1
            ),
            "twice too much, the half is missing": 2 * want,
            "the logarithm upside down": want - logs,
            "the 1 forgotten": want + 0.5,
            "the half on the logarithm alone": 2 * want - logs / 2,
            "the half on the fraction alone": want + logs / 2 - 0.5,
            "v_1 forgotten in the fraction": want - v_1 / v_2 / 2,
            "v_1 and v_2 exchanged in the fraction": (
                logs - 1 + (v_2 + squared) / v_1
            )
            / 2,
            "the difference of the means, not squared": (
                logs + (v_1 + m_1 - m_2) / v_2 - 1
            )
            / 2,
            "variances taken for standard deviations": logs
            + (v_1**2 + squared) / (2 * v_2**2)
            - 0.5,
            "the distance of the means alone": squared / (2 * v_2),
            "a sum over all, not one for each": want.sum().expand(3),
            "a mean over all, not one for each": want.mean().expand(3),
        }
        n = int((got - want).abs().argmax())
        expect(
            near(got, want),
            f"From N({m_1[n]:.2f}, {v_1[n]:.2f}) to N({m_2[n]:.2f}, "
            f"{v_2[n]:.2f}) it is {want[n]:.4f} nats, on a grid; yours is "
            f"{got[n]:.4f}."
            + looks_like(got, mistakes)
            + (" A divergence is never below 0." if got[n] < 0 else ""),
        )
    same = trial.one(0.7)
    at_once = float(trial.tensor(same, same, same, same, shape=(1,)))
    expect(
        near(at_once, 0.0),
        f"Of equal distributions it is 0, not {at_once:.4f}.",
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
    """Hold the price against a divergence of two steps back."""
    for T in (20, 100, 1000):
        schedule = some_schedule(trial, T)
        t = trial.integer(2, T - 2)
        beta, alpha = float(schedule.beta[t]), float(schedule.alpha[t])
        a = float(schedule.alpha_bar[t])
        # Two means that differ by an error of 1 in eps, of variance beta.
        off = beta / (alpha * (1 - a)) ** 0.5
        want = off**2 / (2 * beta)
        got = trial.number(t, schedule)
        smaller = (1 - float(schedule.alpha_bar[t - 1])) / (1 - a) * beta
        mistakes = {
            "the price with the variance beta-tilde, not beta, or "
            "alpha_bar_{t-1} for alpha_bar_t": off**2 / (2 * smaller),
            "bits, not nats": want / math.log(2),
            "twice too much": 2 * want,
            "alpha_t forgotten": want * alpha,
            "alpha_bar_t for alpha_t": want * alpha / a,
            "the error of the mean, not yet a divergence": off,
            "beta_t in the place of its square": want / beta,
            "1 - alpha_bar with a root": want * (1 - a) ** 0.5,
            "the weight of x_0, the SNR": a / (1 - a),
            "1, as in the simple loss": 1.0,
        }
        expect(
            near(got, want),
            f"At t = {t} of {T} w_t is {want:.6g}, not {got:.6g}: so many "
            "nats are two steps back apart whose eps differ by 1."
            + looks_like(got, mistakes),
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
            p = trial.tensor(mean, std, n, shape=(n,))
            where = f"With mean {mean:.2f}, std {std:.2f} and n = {n}"
            want, named = in_levels(mean, std, n), ""
            if not near(p, want, 2e-3):
                named = looks_like(p, wrong_levels(mean, std, n), 3e-3)
            total = float(p.sum())
            expect(
                bool((p >= -1e-9).all()),
                f"{where} one probability is below 0.{named}",
            )
            expect(
                total < 1 + 1e-5,
                f"{where} their sum is {total:.4f}, more than 1: the levels "
                "overlap. Are the borders half a step away, not a whole one?"
                f"{named}",
            )
            expect(
                total > 1 - 1e-5,
                f"{where} their sum is {total:.4f}, not 1: do both outer "
                f"levels get their tails?{named}",
            )
            worst = int((p - want).abs().argmax())
            expect(
                float((p - want).abs().max()) < 2e-3,
                f"{where} level {worst}, counted from 0, has "
                f"{want[worst]:.4f}, not {p[worst]:.4f}: are the borders half "
                f"a step away from it?{named}",
            )
    return "nine Gaussians, six of them outside, on a fine grid."


def in_levels(mean: float, std: float, n: int) -> Tensor:
    """Return the probability of each level, by a sum over a fine grid."""
    x = mean + std * torch.linspace(-9, 9, 40_001, dtype=torch.float64)
    mass = (-((x - mean) ** 2) / (2 * std**2)).softmax(0)
    nearest = ((x + 1) * (n - 1) / 2).round().clamp(0, n - 1).long()
    return torch.zeros(n).double().index_add_(0, nearest, mass)


def wrong_levels(mean: float, std: float, n: int) -> dict:
    """Return what likely mistakes give for the levels."""
    levels = torch.linspace(-1, 1, n, dtype=torch.float64)
    log_p = -((levels - mean) ** 2) / (2 * std**2)
    right = in_levels(mean, std, n)
    return {
        "std squared for std": in_levels(mean, std**2, n),
        "the root of std for std": in_levels(mean, std**0.5, n),
        "the levels in reversed order": right.flip(0),
        "the density at each level, made to add up to 1": log_p.softmax(0),
        "the density at each level, times the step": log_p.exp()
        / (std * math.sqrt(2 * math.pi))
        * 2
        / (n - 1),
        "n bins of one width between -1 and 1": in_bins(mean, std, n),
    }


def in_bins(mean: float, std: float, n: int) -> Tensor:
    """Return the probability of n even bins; the outer ones get the tails."""
    borders = torch.linspace(-1, 1, n + 1, dtype=torch.float64)[1:-1]
    below = torch.special.ndtr((borders - mean) / std)
    ends = torch.tensor([0.0, 1.0]).double()
    return torch.cat([ends[:1], below, ends[1:]]).diff()


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
        plain = nats / (D * math.log(2))
        mistakes = {
            "nats over D ln 2, as if a level were 1 wide": plain,
            "the width with the wrong sign": plain + math.log2(width),
            "nats, not bits": want * math.log(2),
            "bits of the whole picture, not of a dimension": want * D,
            "the width taken off in nats, after the rest became bits": plain
            - math.log(width),
            "1 / levels for the width": plain + math.log2(levels),
            "2 / levels for the width": plain - math.log2(2 / levels),
            "the width taken off once, not in each dimension": plain
            - math.log2(width) / D,
        }
        expect(
            near(got, want),
            f"A density of {nats:.3f} nats over {D} pixels with {levels} "
            f"levels from -1 to 1 is {want:.4f} bits a dimension, not "
            f"{got:.4f}." + looks_like(got, mistakes),
        )
    return "three numbers of levels, against uniform levels and nats on top."
