"""The loop that samples. It is a generator: the caller owns the loop."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from diffusion_lite.arguments import batch, inside, normal, one_step, source
from diffusion_lite.parameterization import eps_from_x_0, x_0_from_eps
from diffusion_lite.posterior import (
    posterior_mean_from_eps,
    posterior_variance,
)
from diffusion_lite.schedules import Schedule
from diffusion_lite.types import Denoiser, ReverseVariance


def ddpm_sample(
    eps_model: Denoiser,
    x_T: Tensor,
    schedule: Schedule,
    *,
    generator: torch.Generator,
    variance: ReverseVariance = posterior_variance,
    start: int | None = None,
) -> Iterator[Tensor]:
    """Sample step by step; yield x_T, ..., x_0: T + 1 tensors.

    x_T is a sample of N(0, I), (B, ...), on the model's device; with a
    ``start`` below T it is x_start, and start + 1 tensors are yielded. The
    variance of a step is posterior_variance or forward_variance; the last
    step adds no noise, whichever it is.
    Book: eq-model.
    Source: Ho et al. 2020, algorithm 2.
    """
    batch("x_T", x_T)
    source(generator)
    start = schedule.T if start is None else one_step(start, 0, schedule.T)
    return states_back(eps_model, x_T, start, schedule, generator, variance)


def ddpm_step(
    eps_model: Denoiser,
    x_t: Tensor,
    t: int,
    z: Tensor,
    schedule: Schedule,
    variance: ReverseVariance = posterior_variance,
) -> Tensor:
    """Take one step of ddpm_sample: x_s from x_t, where s = t - 1.

    x_s = posterior_mean_from_eps(x_t, eps_hat) + sqrt(variance_t) z; the
    last step, to x_0, adds no noise.
    Book: eq-ddpm-step. Source: Ho et al. 2020, eq. 11.
    """
    t = one_step(t, 1, schedule.T)
    eps_hat = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    mean = posterior_mean_from_eps(x_t, t, eps_hat, schedule)
    if t == 1:
        return mean
    return mean + float(variance(t, schedule)) ** 0.5 * z


def clamp_x_0(
    eps_model: Denoiser, schedule: Schedule, low: float, high: float
) -> Denoiser:
    """Return the denoiser whose x_0 never leaves [low, high], the data's.

    At large t a small error of eps_hat is a large one of x_0; what lies
    outside the data's range is surely wrong.
    Source: Ho et al. 2020, in the authors' published code.
    """
    low, high = inside(-math.inf, math.inf, low=low, high=high)
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high}")

    def clamped(x_t: Tensor, t: Tensor) -> Tensor:
        x_0_hat = x_0_from_eps(x_t, t, eps_model(x_t, t), schedule)
        return eps_from_x_0(x_t, t, x_0_hat.clamp(low, high), schedule)

    return clamped


def states_back(
    eps_model: Denoiser,
    x_t: Tensor,
    start: int,
    schedule: Schedule,
    generator: torch.Generator,
    variance: ReverseVariance,
) -> Iterator[Tensor]:
    """Take the steps of ``ddpm_sample``; yield each state."""
    yield x_t
    for t in range(start, 0, -1):
        z = normal(x_t.shape, generator, x_t.dtype)
        with torch.no_grad():
            x_t = ddpm_step(eps_model, x_t, t, z.to(x_t), schedule, variance)
        yield x_t
