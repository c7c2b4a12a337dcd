"""The reverse posterior: where x_t came from, if we know x_0."""

import torch
from torch import Tensor

from diffusion_lite.arguments import at, same_shape, time_steps
from diffusion_lite.schedules import Schedule


def posterior_mean(
    x_0: Tensor, x_t: Tensor, t: int | Tensor, schedule: Schedule
) -> Tensor:
    """Return the mean of q(x_s | x_t, x_0), where s = t - 1.

    A weighted sum of the two ends that we know:
    sqrt(alpha_bar_s) beta_t / (1 - alpha_bar_t) x_0
    + sqrt(alpha_t) (1 - alpha_bar_s) / (1 - alpha_bar_t) x_t.
    Book: eq-bayes, eq-square, eq-posterior-mean.
    Source: Ho et al. 2020, eq. 7.
    Shapes: x_0 and x_t (B, ...); t an int or (B,), 1..T.
    """
    same_shape("x_0", x_0, "x_t", x_t)
    alpha_bar_t = schedule.alpha_bar
    alpha_bar_s = alpha_bar_t.roll(1)  # entry t holds alpha_bar_{t-1}
    weight_0 = alpha_bar_s.sqrt() * schedule.beta / (1 - alpha_bar_t)
    weight_t = schedule.alpha.sqrt() * (1 - alpha_bar_s) / (1 - alpha_bar_t)
    return (
        at(weight_0, t, x_0, lowest=1) * x_0
        + at(weight_t, t, x_0, lowest=1) * x_t
    )


def posterior_mean_from_eps(
    x_t: Tensor, t: int | Tensor, eps: Tensor, schedule: Schedule
) -> Tensor:
    """Return the same mean, told which noise made x_t instead of x_0.

    x_t with a little of the noise taken off, then rescaled:
    (x_t - beta_t / sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_t). With
    E[eps | x_t] for eps it is the mean of q(x_s | x_t).
    Book: eq-posterior-mean-eps, eq-reverse-mean.
    Source: Ho et al. 2020, eq. 11.
    Shapes: x_t and eps (B, ...); t an int or (B,), 1..T.
    """
    same_shape("x_t", x_t, "eps", eps)
    taken_off = schedule.beta / (1 - schedule.alpha_bar).sqrt()
    return (x_t - at(taken_off, t, x_t, lowest=1) * eps) / at(
        schedule.alpha.sqrt(), t, x_t
    )


def posterior_variance(t: int | Tensor, schedule: Schedule) -> Tensor:
    """Return the variance of q(x_s | x_t, x_0), called beta-tilde_t.

    beta_t (1 - alpha_bar_s) / (1 - alpha_bar_t), where s = t - 1: it is 0
    at t = 1, for x_0 is known. Float64, () for an int t, (B,) for t (B,).
    Book: eq-precision, eq-posterior-variance.
    Source: Ho et al. 2020, eq. 7.
    """
    t = time_steps(t, 1, schedule.T)
    alpha_bar_t, alpha_bar_s = schedule.alpha_bar[t], schedule.alpha_bar[t - 1]
    return schedule.beta[t] * (1 - alpha_bar_s) / (1 - alpha_bar_t)


def forward_variance(t: int | Tensor, schedule: Schedule) -> Tensor:
    """Return beta_t, the other choice for the variance of a reverse step.

    Right where the data are N(0, I); the posterior variance is right where
    they are a single point. Shapes and errors as posterior_variance.
    Source: Ho et al. 2020, section 3.2.
    """
    return schedule.beta[time_steps(t, 1, schedule.T)]


def reverse_variance(
    x_0_variance: float | Tensor, t: int | Tensor, schedule: Schedule
) -> Tensor:
    """Return the variance of q(x_s | x_t), which does not know x_0.

    beta-tilde_t + (alpha_bar_s beta_t^2 / (1 - alpha_bar_t)^2) Var(x_0 | x_t)
    for each coordinate, where s = t - 1. With Var(x_0 | x_t) averaged over
    x_t it is the best single variance of a reverse step.
    Book: eq-total-variance.
    Source: Bao et al. 2022, Analytic-DPM, theorem 1.
    Shapes: x_0_variance and t a number or (B,), t in 1..T.
    """
    x_0_variance = _variance(x_0_variance)
    t = time_steps(t, 1, schedule.T)
    alpha_bar_t, alpha_bar_s = schedule.alpha_bar[t], schedule.alpha_bar[t - 1]
    weight_0 = alpha_bar_s.sqrt() * schedule.beta[t] / (1 - alpha_bar_t)
    return posterior_variance(t, schedule) + weight_0.square() * x_0_variance


def _variance(x: float | Tensor) -> Tensor:
    x = torch.as_tensor(x, dtype=torch.float64, device="cpu")
    if not bool((torch.isfinite(x) & (x >= 0)).all()):
        raise ValueError(f"x_0_variance must be 0 or more, got {x.tolist()}")
    return x
