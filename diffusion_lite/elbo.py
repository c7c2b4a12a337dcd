"""What the network minimises, and what a bit of it is worth."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from diffusion_lite.arguments import (
    at,
    batch,
    normal,
    random_integers,
    source,
    time_steps,
    whole,
)
from diffusion_lite.forward import q_mean_variance, q_sample
from diffusion_lite.posterior import (
    forward_variance,
    posterior_mean,
    posterior_mean_from_eps,
    posterior_variance,
    reverse_variance,
)
from diffusion_lite.schedules import Schedule
from diffusion_lite.types import Decoder, Denoiser, ReverseVariance


def normal_kl(
    mean_1: Tensor, variance_1: Tensor, mean_2: Tensor, variance_2: Tensor
) -> Tensor:
    """Return KL(N(mean_1, variance_1) || N(mean_2, variance_2)), in nats.

    (log(variance_2 / variance_1) + (variance_1 + (mean_1 - mean_2)^2)
    / variance_2 - 1) / 2 for each entry: sum it over the dimensions. Never
    negative. The arguments broadcast.
    Book: eq-normal-kl, eq-equal-kl.
    Source: Kingma and Welling 2014, appendix B, there against N(0, I).
    """
    for name, given in ("1", variance_1), ("2", variance_2):
        if not bool((given > 0).all()):
            raise ValueError(
                f"variance_{name} must be positive, got a smallest entry of "
                f"{float(given.min()):g}"
            )
    relative = (variance_1 - variance_2) / variance_2
    distance = (mean_1 - mean_2).square() / variance_2
    return ((relative - relative.log1p()).clamp(min=0) + distance) / 2


def bits_per_dim(nats: Tensor | float, num_dims: int) -> Tensor | float:
    """Turn nats per example into bits per dimension.

    nats / (num_dims ln 2). For pictures, this is the number of the papers
    only if the nats are those of the discrete grey levels.
    Book: eq-bits-per-dim.
    """
    (num_dims,) = whole(1, num_dims=num_dims)
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
    Book: eq-simple-loss.
    Source: Ho et al. 2020, eq. 14, divided by D.
    Shapes: x_0 and eps (B, ...); t an int or (B,), 1..T.
    """
    return eps_error(eps_model, x_0, t, eps, schedule).mean()


def v_loss(
    eps_model: Denoiser,
    x_0: Tensor,
    t: int | Tensor,
    eps: Tensor,
    schedule: Schedule,
) -> Tensor:
    """Return the mean squared error of the v that eps_hat implies, a scalar.

    |v - v_hat|^2 / D, which is |eps - eps_hat|^2 / (alpha_bar_t D) and
    (snr_t + 1) |x_0 - x_0_hat|^2 / D. Book: eq-v-loss.
    Source: Salimans and Ho 2022, section 4: the loss of weight SNR + 1.
    Shapes: as simple_loss.
    """
    alpha_bar = at(schedule.alpha_bar, t, x_0, lowest=1).flatten()
    return (eps_error(eps_model, x_0, t, eps, schedule) / alpha_bar).mean()


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


def normal_log_prob(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Return log N(x; mean, variance) of each entry, in nats."""
    distance = (x - mean).square() / variance
    return -(distance + (2 * math.pi * variance).log()) / 2


def discrete_log_prob(
    x: Tensor, mean: Tensor, variance: Tensor, *, levels: int
) -> Tensor:
    """Return the log-probability of each grey level, in nats.

    The levels lie evenly from -1 to 1. Each gets what N(mean, variance)
    has between the midpoints to its neighbours; the first and the last get
    the tails as well, so that the levels' probabilities have the sum 1.
    Book: eq-discrete-decoder. Source: Ho et al. 2020, eq. 13.
    """
    half = _half_a_level(x, levels)
    low = (x - half - mean) / variance.sqrt()
    high = (x + half - mean) / variance.sqrt()
    low = low.masked_fill(x < -1 + half, -math.inf)
    high = high.masked_fill(x > 1 - half, math.inf)
    above = low + high > 0  # the upper tail by the lower one: no 1 - 1
    low, high = torch.where(above, -high, low), torch.where(above, -low, high)
    log_high = torch.special.log_ndtr(high)
    ratio = torch.special.log_ndtr(low) - log_high
    return log_high + (-ratio.expm1()).log()


def dequantised_nll(
    log_prob: Callable[[Tensor], Tensor],
    x_0: Tensor,
    *,
    levels: int,
    generator: torch.Generator,
) -> Tensor:
    """Estimate a bound on the levels' -log P(x_0): nats, (B,).

    Each entry is moved evenly within its level: with u the moves,
    -log P(x_0) <= E_u[-log_prob(x_0 + u)] - D log(width of a level), one
    sample of u an example.
    Book: eq-dequantised. Source: Theis et al. 2016, section 3.1.
    """
    half = _half_a_level(batch("x_0", x_0), levels)
    u = torch.empty(x_0.shape, dtype=torch.float32, device="cpu")
    u = 2 * u.uniform_(generator=source(generator)).to(x_0) - 1
    num_dims = x_0[0].numel()
    return -log_prob(x_0 + half * u) - num_dims * math.log(2 * half)


def _half_a_level(x: Tensor, levels: int) -> float:
    (levels,) = whole(2, levels=levels)
    level = (x + 1) / 2 * (levels - 1)
    off = float((level - level.round().clamp(0, levels - 1)).abs().max())
    if not off < 1e-3:
        raise ValueError(
            f"x must lie on {levels} even levels from -1 to 1; an entry, in "
            f"{x.dtype}, is {off:.3g} of a level off"
        )
    return 1 / (levels - 1)


def loss_by_time(
    eps_model: Denoiser,
    x_0: Tensor,
    schedule: Schedule,
    *,
    generator: torch.Generator,
) -> Tensor:
    """Return simple_loss at each t apart: (T+1,), in float64.

    Entry 0 is 1: x_0 says nothing of the noise, so 0 is the best guess.
    One sample of eps for each example and t.
    """
    losses = [1.0]
    for t in range(1, schedule.T + 1):
        eps = normal(x_0.shape, generator).to(x_0)
        with torch.no_grad():
            loss = simple_loss(eps_model, x_0, t, eps, schedule)
        losses.append(float(loss))
    return torch.tensor(losses, dtype=torch.float64, device="cpu")


def optimal_reverse_variance(loss: Tensor) -> ReverseVariance:
    """Return the variance of p's steps that makes the bound smallest.

    variance(t, schedule) = beta-tilde_t + beta_t^2 / (alpha_t (1 -
    alpha_bar_t)) loss_t: the variance of q's step back when x_0 is known,
    and the mean squared error of the mean. The loss is loss_by_time's, (T+1,).
    Book: eq-optimal-reverse-variance.
    Source: Bao et al. 2022, Analytic-DPM, theorem 1, there for the exact
    score; for a network's loss Bao et al. 2022, SN-DDPM.
    """

    def variance(t: int | Tensor, schedule: Schedule) -> Tensor:
        x_0_variance = loss[t] / schedule.snr[t]
        return reverse_variance(x_0_variance, t, schedule)

    return variance


def elbo_weight(
    t: int | Tensor,
    schedule: Schedule,
    variance: ReverseVariance = forward_variance,
) -> Tensor:
    """Return the bound's weight of a squared error of eps at t, in nats.

    L_{t-1} = weight_t |eps - eps_hat|^2 + what no training changes, with
    weight_t = beta_t^2 / (2 variance_t alpha_t (1 - alpha_bar_t)).
    Book: eq-elbo-weight. Source: Ho et al. 2020, eq. 12.
    """
    t = time_steps(t, 1, schedule.T)
    taken_off = schedule.beta[t].square() / (1 - schedule.alpha_bar[t])
    return taken_off / (2 * variance(t, schedule) * schedule.alpha[t])


def snr_weight(t: int | Tensor, schedule: Schedule) -> Tensor:
    """Return the bound's weight of a squared error of x_0 at t, in nats.

    Where p's step has the variance beta-tilde_t, L_{t-1} is
    (snr_{t-1} - snr_t) / 2 times |x_0 - x_0_hat|^2, and no more. For t
    in 2..T: snr_0 is infinite.
    Book: eq-snr-weight.
    Source: Kingma et al. 2021, the loss of their discrete-time model.
    """
    t = time_steps(t, 2, schedule.T)
    return (schedule.snr[t - 1] - schedule.snr[t]) / 2


def elbo_loss(
    eps_model: Denoiser,
    x_0: Tensor,
    t: int | Tensor,
    eps: Tensor,
    schedule: Schedule,
) -> Tensor:
    """Return simple_loss with the bound's weights, a scalar.

    The weights, with variance beta_t, are scaled to have the mean 1 over
    1..T, so that one learning rate suits both losses.
    Book: eq-elbo-loss. Source: Ho et al. 2020, eq. 12.
    Shapes and errors: as simple_loss.
    """
    every = torch.arange(1, schedule.T + 1)
    weight = elbo_weight(t, schedule) / elbo_weight(every, schedule).mean()
    errors = eps_error(eps_model, x_0, t, eps, schedule)
    return (weight.to(errors) * errors).mean()


def denoising_loss(
    eps_model: Callable[..., Tensor],
    x_0: Tensor,
    y: Tensor | None = None,
    *,
    schedule: Schedule,
    generator: torch.Generator,
    loss: Callable[..., Tensor] = simple_loss,
) -> Tensor:
    """Return the loss of a batch at random t and eps, a scalar.

    loss(x_0, t, eps), with t uniform on 1..T and eps from N(0, I), one of
    each an example. The loss is simple_loss, elbo_loss or v_loss; labels y
    go to the network.
    Source: Ho et al. 2020, algorithm 1.
    Shapes: x_0 (B, ...); y (B,), for a network that takes it.
    """
    t = random_integers(1, schedule.T, len(x_0), generator)
    eps = normal(x_0.shape, generator).to(x_0)
    if y is not None:
        eps_model = partial(eps_model, y=y)
    return loss(eps_model, x_0, t, eps, schedule)


def elbo_terms(
    eps_model: Denoiser,
    x_0: Tensor,
    schedule: Schedule,
    *,
    generator: torch.Generator,
    variance: ReverseVariance = forward_variance,
    decoder: Decoder = normal_log_prob,
) -> Tensor:
    """Return the terms of the bound on -log p(x_0): nats, (T+1,).

    Entry 0 is L_0 = -log p(x_0 | x_1); entry t - 1, for t = 2..T, is
    L_{t-1} = KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)); entry T is
    L_T = KL(q(x_T | x_0) || N(0, I)). Each is the mean over the batch of
    nats per example, with one sample of x_t an example; on average
    their sum bounds the negative log-likelihood from above.
    ``variance`` is that of p's steps: forward_variance, posterior_variance
    or optimal_reverse_variance. L_0 uses beta_1 where it is 0. ``decoder`` is
    normal_log_prob, a density, or discrete_log_prob with its levels.
    Book: eq-jensen, eq-chain-ratio, eq-telescope, eq-elbo-terms.
    Source: Ho et al. 2020, eq. 5.
    """
    batch("x_0", x_0)
    terms = [
        _term(eps_model, x_0, t, schedule, generator, variance, decoder)
        for t in range(1, schedule.T + 1)
    ]
    return torch.stack([*terms, prior_term(x_0, schedule)])


def elbo_from_loss(
    loss: Tensor,
    schedule: Schedule,
    variance: ReverseVariance = forward_variance,
) -> Tensor:
    """Return the bound's expected terms, given the loss at each t.

    For data of mean square 1: nats per dimension, (T+1,), in the order of
    elbo_terms and with its density as the decoder. The loss is that of
    loss_by_time or GaussianMixture.bayes_loss, (T+1,).
    Book: eq-elbo-from-loss. Source: Ho et al. 2020, eq. 12.
    """
    if loss.shape != schedule.beta.shape:
        raise ValueError(
            f"loss must be ({schedule.T + 1},), one for each t from 0, got "
            f"{tuple(loss.shape)}"
        )
    t = torch.arange(1, schedule.T + 1)
    ours = variance(t, schedule)
    ours = torch.where(ours > 0, ours, schedule.beta[t])
    ratio = posterior_variance(t, schedule) / ours
    apart = elbo_weight(t, schedule, lambda *_: ours) * loss[1:]
    terms = (ratio - 1 - ratio.log()) / 2 + apart
    terms[0] = (2 * math.pi * ours[0]).log() / 2 + apart[0]
    prior = terms.new_tensor([schedule.prior_bits * math.log(2)])
    return torch.cat([terms, prior])


def prior_term(x_0: Tensor, schedule: Schedule) -> Tensor:
    """Return L_T = KL(q(x_T | x_0) || N(0, I)), nats per example.

    Source: Ho et al. 2020, eq. 5, first term.
    """
    mean, variance = q_mean_variance(x_0, schedule.T, schedule)
    one = torch.ones_like(variance)
    kl = normal_kl(mean, variance, torch.zeros_like(mean), one)
    return kl.double().sum() / len(x_0)


def _term(
    eps_model: Denoiser,
    x_0: Tensor,
    t: int,
    schedule: Schedule,
    generator: torch.Generator,
    variance: ReverseVariance,
    decoder: Decoder,
) -> Tensor:
    """Return L_{t-1}, a scalar in float64, from a sample of x_t."""
    x_t, mean_p = _step_back(eps_model, x_0, t, schedule, generator)
    variance_p = (variance(t, schedule) or schedule.beta[t]).to(mean_p)
    if t == 1:
        nats = -decoder(x_0.double(), mean_p, variance_p)
    else:
        mean_q = posterior_mean(x_0, x_t, t, schedule).double()
        variance_q = posterior_variance(t, schedule).to(mean_q)
        nats = normal_kl(mean_q, variance_q, mean_p, variance_p)
    return nats.sum() / len(x_0)


@torch.no_grad()
def _step_back(
    eps_model: Denoiser,
    x_0: Tensor,
    t: int,
    schedule: Schedule,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Sample x_t; return it with the mean of p(x_{t-1} | x_t), in float64."""
    eps = normal(x_0.shape, generator).to(x_0)
    x_t = q_sample(x_0, t, eps, schedule)
    eps_hat = eps_model(x_t, _per_row(t, x_t))
    return x_t, posterior_mean_from_eps(x_t, t, eps_hat, schedule).double()


def _per_row(t: int | Tensor, x: Tensor) -> Tensor:
    """Return t as the (B,) that a network takes, on x's device."""
    return torch.as_tensor(t, device=x.device).expand(len(x))
