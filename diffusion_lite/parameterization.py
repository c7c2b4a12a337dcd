"""Four names of one thing: eps, x_0, v and the score.

Given x_t and t, each determines the others. All of it is algebra on
x_t = a x_0 + s eps, with a = sqrt(alpha_bar_t), s = sqrt(1 - alpha_bar_t).
Shapes throughout: x_0, x_t, eps, v (B, ...); t an int or (B,). Each
function raises a ValueError where shapes differ or t is out of range.
"""

from torch import Tensor

from diffusion_lite.arguments import batch_shape, same_shape
from diffusion_lite.schedules import Schedule


def x_0_from_eps(
    x_t: Tensor, t: int | Tensor, eps: Tensor, schedule: Schedule
) -> Tensor:
    """Return the x_0 that noise eps has turned into x_t; t in 0..T.

    x_0 = (x_t - s eps) / a.
    Book: eq-x-0-from-eps.
    Source: Ho et al. 2020, eq. 15.
    """
    same_shape("x_t", x_t, "eps", eps)
    a, s = schedule.coefficients(t, like=x_t)
    return (x_t - s * eps) / a


def eps_from_x_0(
    x_t: Tensor, t: int | Tensor, x_0: Tensor, schedule: Schedule
) -> Tensor:
    """Return the noise that leads from x_0 to x_t; t in 1..T.

    eps = (x_t - a x_0) / s.
    Source: Ho et al. 2020, eq. 4, solved for eps.
    """
    same_shape("x_t", x_t, "x_0", x_0)
    a, s = schedule.coefficients(t, like=x_t, lowest=1)
    return (x_t - a * x_0) / s


def score_from_eps(eps: Tensor, t: int | Tensor, schedule: Schedule) -> Tensor:
    """Return the score, grad log q(x_t), that the expected noise implies.

    score = -eps / s, t in 1..T. With one sample of eps it is the score of
    q(x_t | x_0); with E[eps | x_t] that of q(x_t).
    Book: eq-score-given-x-0, eq-score-average, eq-dsm.
    Source: Vincent 2011, section 4.2, for this noise.
    """
    batch_shape("eps", eps)
    _, s = schedule.coefficients(t, like=eps, lowest=1)
    return -eps / s


def v_from_x_0_eps(
    x_0: Tensor, t: int | Tensor, eps: Tensor, schedule: Schedule
) -> Tensor:
    """Return v, the direction in which x_t turns from data to noise.

    v = a eps - s x_0, t in 0..T.
    Book: eq-v.
    Source: Salimans and Ho 2022, section 4.
    """
    same_shape("x_0", x_0, "eps", eps)
    a, s = schedule.coefficients(t, like=x_0)
    return a * eps - s * x_0


def x_0_from_v(
    x_t: Tensor, t: int | Tensor, v: Tensor, schedule: Schedule
) -> Tensor:
    """Return the x_0 of x_t and v; t in 0..T.

    x_0 = a x_t - s v.
    Book: eq-x-0-eps-from-v.
    Source: Salimans and Ho 2022, section 4.
    """
    same_shape("x_t", x_t, "v", v)
    a, s = schedule.coefficients(t, like=x_t)
    return a * x_t - s * v


def eps_from_v(
    x_t: Tensor, t: int | Tensor, v: Tensor, schedule: Schedule
) -> Tensor:
    """Return the noise of x_t and v; t in 0..T.

    eps = s x_t + a v.
    Book: eq-x-0-eps-from-v.
    Source: Salimans and Ho 2022, section 4.
    """
    same_shape("x_t", x_t, "v", v)
    a, s = schedule.coefficients(t, like=x_t)
    return s * x_t + a * v
