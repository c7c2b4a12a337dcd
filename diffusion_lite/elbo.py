"""What the network minimises, and what a bit of it is worth."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from diffusion_lite.arguments import batch
from diffusion_lite.forward import q_mean_variance, q_sample
from diffusion_lite.posterior import (
    forward_variance,
    posterior_mean,
    posterior_mean_from_eps,
    posterior_variance,
)
from diffusion_lite.schedules import Schedule

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""Anything that maps x_t (B, ...) and t (B,) to eps_hat (B, ...)."""


def normal_kl(
    mean_1: Tensor, variance_1: Tensor, mean_2: Tensor, variance_2: Tensor
) -> Tensor:
    """Return KL(N(mean_1, variance_1) || N(mean_2, variance_2)), in nats.

    (log(variance_2 / variance_1) + (variance_1 + (mean_1 - mean_2)^2)
    / variance_2 - 1) / 2 for each entry: sum it over the dimensions. Never
    negative. The arguments broadcast.
    Source: Kingma and Welling 2014, appendix B, for two general Gaussians.

    Raises:
        ValueError: a variance is not positive.
    """
    for name, variance in (("1", variance_1), ("2", variance_2)):
        if not bool((variance > 0).all()):
            raise ValueError(
                f"variance_{name} must be positive, got a smallest entry of "
                f"{float(variance.min()):g}"
            )
    excess = (variance_1 - variance_2) / variance_2
    distance = (mean_1 - mean_2).square() / variance_2
    return ((excess - excess.log1p()).clamp(min=0) + distance) / 2


def bits_per_dim(nats: Tensor | float, num_dims: int) -> Tensor | float:
    """Turn nats per example into bits per dimension.

    nats / (num_dims ln 2). For pictures, this is the number of the papers
    only if the nats are those of the discrete grey levels.

    Raises:
        ValueError: num_dims < 1.
    """
    if num_dims < 1:
        raise ValueError(f"num_dims must be at least 1, got {num_dims}")
    return nats / (num_dims * math.log(2))


def simple_loss(
    eps_model: Denoiser,
    x_0: Tensor,
    t: int | Tensor,
    eps: Tensor,
    schedule: Schedule,
) -> Tensor:
    """Return the mean squared error of the predicted noise, a scalar.

    |eps - eps_hat(x_t, t)|^2 / D, the mean over the batch.
    Source: Ho et al. 2020, eq. 14, divided by D.
    Shapes: x_0 and eps (B, ...); t an int or (B,), 1..T.

    Raises:
        ValueError: shapes differ, a value is not finite, t out of range.
    """
    return eps_error(eps_model, x_0, t, eps, schedule).mean()


def eps_error(
    eps_model: Denoiser,
    x_0: Tensor,
    t: int | Tensor,
    eps: Tensor,
    schedule: Schedule,
) -> Tensor:
    """Return simple_loss of each example apart: (B,)."""
    x_t = q_sample(x_0, t, eps, schedule)
    eps_hat = eps_model(x_t, _per_row(t, x_t))
    if eps_hat.shape != eps.shape:
        raise ValueError(
            "eps_model must return x_t's shape "
            f"{tuple(x_t.shape)}, got {tuple(eps_hat.shape)}"
        )
    return (eps - eps_hat).square().reshape(len(eps), -1).mean(1)


def elbo_terms(
    eps_model: Denoiser,
    x_0: Tensor,
    schedule: Schedule,
    *,
    generator: torch.Generator,
    variance: Callable = forward_variance,
) -> Tensor:
    """Return the terms of the bound on -log p(x_0): nats, (T+1,).

    Entry 0 is L_0 = -log p(x_0 | x_1), with a Gaussian decoder of variance
    beta_1; entry t - 1, for t = 2..T, is L_{t-1} = KL(q(x_{t-1} | x_t,
    x_0) || p(x_{t-1} | x_t)); entry T is L_T = KL(q(x_T | x_0) || N(0, I)).
    Each is the mean over the batch of nats per example, with one draw of
    x_t an example; their sum bounds the negative log-likelihood from
    above. The variance of p is forward_variance or posterior_variance.
    Source: Ho et al. 2020, eq. 5.

    Raises:
        ValueError: x_0 is not a finite batch.
    """
    batch("x_0", x_0)
    terms = [
        _reverse_term(eps_model, x_0, t, schedule, generator, variance)
        for t in range(1, schedule.T + 1)
    ]
    return torch.stack([*terms, prior_term(x_0, schedule)])


def prior_term(x_0: Tensor, schedule: Schedule) -> Tensor:
    """Return L_T = KL(q(x_T | x_0) || N(0, I)), nats per example.

    Source: Ho et al. 2020, eq. 5, first term.
    """
    mean, variance = q_mean_variance(x_0, schedule.T, schedule)
    one = torch.ones_like(variance)
    kl = normal_kl(mean, variance, torch.zeros_like(mean), one)
    return kl.double().sum() / len(x_0)


@torch.no_grad()
def _reverse_term(
    eps_model: Denoiser,
    x_0: Tensor,
    t: int,
    schedule: Schedule,
    generator: torch.Generator,
    variance: Callable,
) -> Tensor:
    """Return L_{t-1}, a scalar in float64, from one draw of x_t."""
    eps = torch.randn(x_0.shape, generator=generator).to(x_0)
    x_t = q_sample(x_0, t, eps, schedule)
    eps_hat = eps_model(x_t, _per_row(t, x_t))
    mean_hat = posterior_mean_from_eps(x_t, t, eps_hat, schedule).double()
    if t == 1:
        beta_1 = schedule.beta[1].to(mean_hat)
        nats = -_normal_log_prob(x_0.double(), mean_hat, beta_1)
    else:
        mean = posterior_mean(x_0, x_t, t, schedule).double()
        variance_q = posterior_variance(t, schedule).to(mean)
        variance_p = variance(t, schedule).to(mean)
        nats = normal_kl(mean, variance_q, mean_hat, variance_p)
    return nats.sum() / len(x_0)


def _normal_log_prob(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    distance = (x - mean).square() / variance
    return -(distance + (2 * math.pi * variance).log()) / 2


def _per_row(t: int | Tensor, x: Tensor) -> Tensor:
    """Return t as the (B,) that a network takes, on x's device."""
    return torch.as_tensor(t, device=x.device).expand(len(x))
