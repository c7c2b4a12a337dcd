"""Checks of chapter 3: what the network should minimise."""

import math

import torch

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.trial import (
    Trial,
    exercise,
    expect,
    looks_like,
    near,
)


@exercise("elbo-1")
def two_gaussians(trial: Trial) -> str:
    """Hold the divergence against a sum over a grid."""
    for _ in range(3):
        m_1, m_2 = trial.uniform(-1.5, -0.5), trial.uniform(0.2, 1.0)
        v_1, v_2 = trial.uniform(0.3, 0.8), trial.uniform(1.2, 3.0)
        given = [trial.one(x) for x in (m_1, v_1, m_2, v_2)]
        x = torch.linspace(-16, 16, 40_001, dtype=torch.float64)
        log_p, log_q = (
            -((x - m) ** 2) / (2 * v) - math.log(2 * math.pi * v) / 2
            for m, v in ((m_1, v_1), (m_2, v_2))
        )
        cell = float(x[1] - x[0])
        want = float((log_p.exp() * (log_p - log_q)).sum()) * cell
        turned = float((log_q.exp() * (log_q - log_p)).sum()) * cell
        squared, logs = (m_1 - m_2) ** 2, math.log(v_2 / v_1)
        got = float(trial.tensor(*given, shape=(1,)))
        mistakes = {
            "the divergence the other way round": turned,
            "twice too much, the half is missing": 2 * want,
            "the logarithm upside down": (-logs + (v_1 + squared) / v_2 - 1)
            / 2,
            "the 1 forgotten": want + 0.5,
            "the difference of the means, not squared": (
                logs + (v_1 + m_1 - m_2) / v_2 - 1
            )
            / 2,
            "variances taken for standard deviations": math.log(v_2 / v_1)
            + (v_1**2 + squared) / (2 * v_2**2)
            - 0.5,
            "the distance of the means alone": squared / (2 * v_2),
        }
        expect(
            near(got, want),
            f"From N({m_1:.2f}, {v_1:.2f}) to N({m_2:.2f}, {v_2:.2f}) it is "
            f"{want:.4f} nats, on a grid; yours is {got:.4f}."
            + looks_like(got, mistakes)
            + (" A divergence is never below 0." if got < 0 else ""),
        )
    same = trial.one(0.7)
    at_once = float(trial.tensor(same, same, same, same, shape=(1,)))
    expect(near(at_once, 0.0), f"Of equal laws it is 0, not {at_once:.4f}.")
    return "three pairs of laws on a grid, and two equal ones."


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
        mistakes = {
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
            f"At t = {t} of {T} two steps back whose eps differ by 1 are "
            f"{want:.6g} nats apart, not {got:.6g}."
            + looks_like(got, mistakes),
        )
    return "three times on three schedules, as the divergence of two steps."


@exercise("elbo-3")
def a_pixel_in_levels(trial: Trial) -> str:
    """Hold the probabilities against a sum of the density over each level."""
    for n in (5, 17, 256):
        step = 2 / (n - 1)
        for mean, std in (
            (trial.uniform(-0.5, 0.5), trial.uniform(0.1, 0.3)),
            (trial.uniform(1.2, 2.0), trial.uniform(0.3, 0.6)),
        ):
            p = trial.tensor(mean, std, n, shape=(n,))
            expect(
                bool((p >= -1e-9).all()),
                f"With mean {mean:.2f}, std {std:.2f} and n = {n} one "
                "probability is below 0.",
            )
            expect(
                near(float(p.sum()), 1.0, 1e-5),
                f"With mean {mean:.2f}, std {std:.2f} and n = {n} their sum "
                f"is {float(p.sum()):.4f}, not 1: do the outer levels get "
                "their tails?",
            )
            x = mean + std * torch.linspace(
                -9, 9, 200_001, dtype=torch.float64
            )
            mass = (-((x - mean) ** 2) / (2 * std**2)).softmax(0)
            nearest = ((x + 1) / step).round().clamp(0, n - 1).long()
            want = torch.zeros(n).double().index_add_(0, nearest, mass)
            worst = int((p - want).abs().argmax())
            expect(
                float((p - want).abs().max()) < 2e-3,
                f"With mean {mean:.2f}, std {std:.2f} and n = {n} level "
                f"{worst} has {float(want[worst]):.4f}, not "
                f"{float(p[worst]):.4f}: are the borders half a level away?",
            )
    return "six Gaussians, three of them outside, on a fine grid."


@exercise("elbo-4")
def the_bits_that_are_wrong(trial: Trial) -> str:
    """Hold mended bits per dimension against a law of known entropy."""
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
    return "three numbers of levels, against an even law and nats on top."
