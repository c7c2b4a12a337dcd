"""The forward process: how data becomes noise, exactly.

The noise comes in as an argument, so nothing here is random.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from diffusion_lite.arguments import (
    at,
    batch,
    batch_shape,
    class_labels,
    one_step,
    same_shape,
)
from diffusion_lite.schedules import Schedule


def q_step(
    x_s: Tensor, t: int | Tensor, eps: Tensor, schedule: Schedule
) -> Tensor:
    """Take one step of the chain: x_t from x_s, where s = t - 1.

    x_t = sqrt(1 - beta_t) x_s + sqrt(beta_t) eps, a sample of
    q(x_t | x_s) when eps is one of N(0, I).
    Book: eq-q-step, eq-variance, eq-two-steps. Source: Ho et al. 2020, eq. 2.
    Shapes: x_s and eps (B, ...); t an int or (B,), 1..T.
    """
    same_shape("x_s", x_s, "eps", eps)
    keep = at((1 - schedule.beta).sqrt(), t, x_s, lowest=1)
    add = at(schedule.beta.sqrt(), t, x_s, lowest=1)
    return keep * x_s + add * eps


def q_sample(
    x_0: Tensor, t: int | Tensor, eps: Tensor, schedule: Schedule
) -> Tensor:
    """Jump from x_0 to x_t at once.

    x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, a sample of
    q(x_t | x_0) when eps is one of N(0, I).
    Book: eq-q-sample. Source: Ho et al. 2020, eq. 4.
    Shapes: x_0 and eps (B, ...); t an int or (B,), 0..T.
    """
    same_shape("x_0", x_0, "eps", eps)
    a, s = schedule.coefficients(t, like=x_0)
    return a * x_0 + s * eps


def q_mean_variance(
    x_0: Tensor, t: int | Tensor, schedule: Schedule
) -> tuple[Tensor, Tensor]:
    """Return the mean and the variance of q(x_t | x_0).

    The mean sqrt(alpha_bar_t) x_0 has x_0's shape (B, ...); the variance
    1 - alpha_bar_t is one number an example, (B, 1, ..., 1).
    Book: eq-q-jump. Source: Ho et al. 2020, eq. 4.
    """
    batch_shape("x_0", x_0)
    a, s = schedule.coefficients(t, like=x_0)
    return a * x_0, s.square()


def class_probs(
    x_t: Tensor, t: int, data: Tensor, labels: Tensor, schedule: Schedule
) -> Tensor:
    """Return p(class | x_t): the best guess of what x_t once was, (B, C).

    Bayes' rule over the N examples that x_t may come from: class c gets
    the sum of q(x_t | x_0) over its examples, as a share of the sum over
    all. It is a softmax of -|x_t - sqrt(alpha_bar_t) x_0|^2
    / (2 (1 - alpha_bar_t)).
    Book: eq-class-probs.
    Shapes: x_t (B, ...); data (N, ...); labels (N,) of 0..C-1; t in 1..T.
    """
    _check_examples(x_t, data, labels)
    t = one_step(t, 1, schedule.T)
    mean, variance = q_mean_variance(data.to(x_t), t, schedule)
    rows = x_t.reshape(len(x_t), -1), mean.reshape(len(mean), -1)
    distance = torch.cdist(*rows).square()
    share = (-distance / (2 * variance.flatten())).softmax(1)
    return share @ F.one_hot(labels.long()).to(share)


def _check_examples(x_t: Tensor, data: Tensor, labels: Tensor) -> None:
    batch("x_t", x_t)
    batch("data", data)
    if x_t.shape[1:] != data.shape[1:]:
        raise ValueError(
            "x_t must be (B, ...) with rows like those of data, got "
            f"{tuple(x_t.shape)} and {tuple(data.shape)}"
        )
    class_labels("labels", labels, len(data))
