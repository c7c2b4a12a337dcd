"""Guidance: a denoiser that is told what is wanted, and how strongly.

Any two denoisers give a third one: from what the one says it goes on, in the
direction in which the other differs. With a class and "anything" for the two
it is classifier-free guidance, with a wanted and an unwanted word it has
negative prompts, with a good and a bad network it is autoguidance.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion_lite.arguments import (
    at,
    at_least,
    batch,
    class_labels,
    inside,
    normal,
    one_step,
    same_shape,
    source,
    whole,
)
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.sampling import ddpm_step
from diffusion_lite.schedules import Schedule
from diffusion_lite.types import Denoiser


def guided(
    wanted: Denoiser,
    other: Denoiser,
    guidance_weight: float,
    *,
    interval: tuple[int, int] | None = None,
) -> Denoiser:
    """Return the denoiser other + w (wanted - other).

    w = 0 is ``other`` alone, w = 1 ``wanted`` alone; above 1 it goes beyond.
    Only at the steps of an interval, both ends included, if there is one;
    at the others it is ``wanted`` alone, and costs one pass instead of two.
    Book: eq-guided. Source: Ho and Salimans 2022, eq. 6, where w is one
    less; Kynkaanniemi et al. 2024 for the interval.
    """
    (w,) = inside(-math.inf, math.inf, guidance_weight=guidance_weight)
    low, high = interval or (0, 2**31)
    low, high = whole(0, **{"interval's start": low, "interval's end": high})
    if low > high:
        raise ValueError(f"interval must not fall, got {interval}")

    def eps_model(x_t: Tensor, t: Tensor) -> Tensor:
        eps_hat = wanted(x_t, t)
        there = (low <= t) & (t <= high)
        if w == 1 or not bool(there.any()):
            return eps_hat
        rest = other(x_t, t)
        same_shape("what is wanted", eps_hat, "the other's answer", rest)
        strength = torch.where(there, w, 1.0).to(rest)
        strength = strength.reshape(-1, *[1] * (rest.ndim - 1))
        return rest + strength * (eps_hat - rest)

    return eps_model


def classifier_guided(
    eps_model: Denoiser,
    log_prob: Callable[[Tensor, Tensor], Tensor],
    guidance_weight: float,
    schedule: Schedule,
) -> Denoiser:
    """Return eps_hat - w sqrt(1 - alpha_bar_t) grad log q_t(y | x_t).

    log_prob(x_t, t) is (B,): what a classifier of noisy pictures says of the
    wanted class. With the true one w = 1 is the denoiser of the class.
    Book: eq-bayes-score, eq-classifier-guided.
    Source: Dhariwal and Nichol 2021, eq. 14, where w is 1.
    """
    (w,) = inside(-math.inf, math.inf, guidance_weight=guidance_weight)

    def guided_eps(x_t: Tensor, t: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x_t.detach().requires_grad_(True)
            told = log_prob(x, t).sum()
            (slope,) = torch.autograd.grad(told, x)
        noise = (1 - at(schedule.alpha_bar, t, x_t)).sqrt()
        return eps_model(x_t, t) - w * (noise * slope).to(x_t)

    return guided_eps


def drop_labels(
    y: Tensor, null: int, chance: float, *, generator: torch.Generator
) -> Tensor:
    """Return labels, some of which by chance are the null label now.

    A network trained with these learns "any class" beside the classes.
    Shapes: y (B,) integers in 0..null - 1.
    Source: Ho and Salimans 2022, algorithm 1.
    """
    (null,) = whole(1, null=null)
    (chance,) = at_least(0, chance=chance)
    if chance > 1:
        raise ValueError(f"chance must be in 0..1, got {chance:g}")
    class_labels("y", y, len(y), null)
    dropped = torch.rand(len(y), generator=source(generator)) < chance
    return torch.where(dropped.to(y.device), null, y)


def tilted_log_density(
    x: Tensor,
    wanted: GaussianMixture,
    every: GaussianMixture,
    guidance_weight: float,
) -> Tensor:
    """Return log q(x) + w log q(y | x), but for a constant: (B,).

    By Bayes' rule it is (1 - w) log q(x) + w log q(x | y): the tilted
    distribution, which guidance names, at the mixtures' level of noise. For
    w below 0 it need not have a finite mass.
    Book: eq-tilted.
    Source: Ho and Salimans 2022, section 3.1, where w is one less.
    Shapes: x (B, D).
    """
    (w,) = inside(-math.inf, math.inf, guidance_weight=guidance_weight)
    return (1 - w) * every.log_prob(x) + w * wanted.log_prob(x)


class Spread(NamedTuple):
    """The mean of a Gaussian, as a multiple of y, and its variance."""

    mean: float
    variance: float


def guided_gaussian(guidance_weight: float) -> dict[str, Spread]:
    """Return what w does to a Gaussian: what it names, and two samplers' ends.

    Of y, itself from N(0, 1), comes x from N(y, 1); so without y it is
    N(0, 2). All that guidance leads to is Gaussian: the tilted distribution,
    and in the limit of many small steps what ancestral sampling (DDPM) and
    the probability-flow ODE make of guided scores.
    Book: eq-gaussian-tilted, eq-gaussian-guided, eq-guided-moments.
    Source: Bradley and Nakkiran 2025, section 3, for the variances.
    """
    (w,) = at_least(0, guidance_weight=guidance_weight)
    r = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    mean = w * float(((1 + r.square()) / 2).pow((w - 1) / 2).mean())
    return {
        "tilted": Spread(2 * w / (1 + w), 2 / (1 + w)),
        "DDPM": Spread(
            2 - 2 ** (1 - w),
            (2 - 4 ** (1 - w)) / (2 * w - 1) if w != 0.5 else math.log(4),
        ),
        "ODE": Spread(mean, 2 ** (1 - w)),
    }


def corrected_sample(
    eps_model: Denoiser,
    x_T: Tensor,
    schedule: Schedule,
    *,
    corrections: int,
    size: float = 0.2,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Sample by DDPM, and walk at every level of noise; yield each state.

    After each step, at s = t - 1 above 0, it takes Langevin steps with the
    score of the answer, x <- x + h score + sqrt(2 h) z, of the size h =
    size (1 - alpha_bar_s). Many small ones lead to the distribution whose
    score that is, whatever the chain has done: here, the tilted one.
    Book: eq-langevin. Source: Song et al. 2021 (score SDE), algorithm 3;
    Bradley and Nakkiran 2025, for guidance.
    """
    (corrections,) = whole(0, corrections=corrections)
    (size,) = inside(0, 1, size=size)
    source(generator)
    x = batch("x_T", x_T)
    yield x
    for t in range(schedule.T, 0, -1):
        with torch.no_grad():
            z = normal(x.shape, generator, x.dtype).to(x)
            x = ddpm_step(eps_model, x, t, z, schedule)
            for _ in range(corrections if t > 1 else 0):
                z = normal(x.shape, generator, x.dtype).to(x)
                x = langevin_step(eps_model, x, t - 1, z, schedule, size)
        yield x


def langevin_step(
    eps_model: Denoiser,
    x_t: Tensor,
    t: int,
    z: Tensor,
    schedule: Schedule,
    size: float,
) -> Tensor:
    """Take a random step that nearly keeps the distribution of x_t.

    x + h score + sqrt(2 h) z with h = size (1 - alpha_bar_t), and the score
    -eps_hat / sqrt(1 - alpha_bar_t).
    Book: eq-langevin. Source: Song et al. 2021 (score SDE), algorithm 5.
    """
    t = one_step(t, 1, schedule.T)
    s = float(1 - schedule.alpha_bar[t]) ** 0.5
    eps_hat = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    return x_t - size * s * eps_hat + (2 * size) ** 0.5 * s * z
