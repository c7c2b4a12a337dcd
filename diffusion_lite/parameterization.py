"""Four names of one thing: eps, x_0, v and the score.

Given x_t and t, each determines the others. All of it is algebra on
x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps.
Shapes throughout: x_0, x_t, eps, v (B, ...); t an int or (B,). Each
function raises a ValueError where shapes differ, a value is not finite or
t is out of range.
"""

from torch import Tensor

from diffusion_lite.arguments import at, batch, same_shape
from diffusion_lite.schedules import Schedule


def x_0_from_eps(
    x_t: Tensor, t: int | Tensor, eps: Tensor, schedule: Schedule
) -> Tensor:
    """Return the x_0 that noise eps has turned into x_t; t in 0..T.

    x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t).
    Book: eq-x-0-from-eps.
    Source: Ho et al. 2020, eq. 15.
    """
    same_shape("x_t", x_t, "eps", eps)
    return (x_t - at((1 - schedule.alpha_bar).sqrt(), t, x_t) * eps) / at(
        schedule.alpha_bar.sqrt(), t, x_t
    )


def eps_from_x_0(
    x_t: Tensor, t: int | Tensor, x_0: Tensor, schedule: Schedule
) -> Tensor:
    """Return the noise that leads from x_0 to x_t; t in 1..T.

    eps = (x_t - sqrt(alpha_bar_t) x_0) / sqrt(1 - alpha_bar_t).
    Source: Ho et al. 2020, eq. 4, solved for eps.
    """
    same_shape("x_t", x_t, "x_0", x_0)
    return (x_t - at(schedule.alpha_bar.sqrt(), t, x_t, lowest=1) * x_0) / at(
        (1 - schedule.alpha_bar).sqrt(), t, x_t, lowest=1
    )


def score_from_eps(eps: Tensor, t: int | Tensor, schedule: Schedule) -> Tensor:
    """Return the score, grad log q(x_t), that the expected noise implies.

    score = -eps / sqrt(1 - alpha_bar_t), t in 1..T. With one draw of eps
    it is the score of q(x_t | x_0); with E[eps | x_t] that of q(x_t).
    Book: eq-score-given-x-0, eq-score-average, eq-dsm.
    Source: Vincent 2011, section 4.2, for this noise.
    """
    batch("eps", eps)
    return -eps / at((1 - schedule.alpha_bar).sqrt(), t, eps, lowest=1)


def v_from_x_0_eps(
    x_0: Tensor, eps: Tensor, t: int | Tensor, schedule: Schedule
) -> Tensor:
    """Return v, the direction in which x_t turns from data to noise.

    v = sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0, t in 0..T.
    Book: eq-v.
    Source: Salimans and Ho 2022, section 4.
    """
    same_shape("x_0", x_0, "eps", eps)
    return (
        at(schedule.alpha_bar.sqrt(), t, x_0) * eps
        - at((1 - schedule.alpha_bar).sqrt(), t, x_0) * x_0
    )


def x_0_from_v(
    x_t: Tensor, t: int | Tensor, v: Tensor, schedule: Schedule
) -> Tensor:
    """Return the x_0 of x_t and v; t in 0..T.

    x_0 = sqrt(alpha_bar_t) x_t - sqrt(1 - alpha_bar_t) v.
    Book: eq-x-0-eps-from-v.
    Source: Salimans and Ho 2022, section 4.
    """
    same_shape("x_t", x_t, "v", v)
    return (
        at(schedule.alpha_bar.sqrt(), t, x_t) * x_t
        - at((1 - schedule.alpha_bar).sqrt(), t, x_t) * v
    )


def eps_from_v(
    x_t: Tensor, t: int | Tensor, v: Tensor, schedule: Schedule
) -> Tensor:
    """Return the noise of x_t and v; t in 0..T.

    eps = sqrt(1 - alpha_bar_t) x_t + sqrt(alpha_bar_t) v.
    Book: eq-x-0-eps-from-v.
    Source: Salimans and Ho 2022, section 4.
    """
    same_shape("x_t", x_t, "v", v)
    return (
        at((1 - schedule.alpha_bar).sqrt(), t, x_t) * x_t
        + at(schedule.alpha_bar.sqrt(), t, x_t) * v
    )
