"""The smallest GAN: a generator and a discriminator of one number each.

The data are the point 0. The generator gives the point theta, the
discriminator's logit is psi x. Its equilibrium is theta = psi = 0, a
saddle point of the value. A velocity maps (theta, psi) to the direction of
their gradient steps.
Source: Mescheder et al. 2018.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from diffusion_lite.arguments import inside, one_step, whole
from diffusion_lite.schedules import Schedule

Velocity = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(theta, psi), each (...), to (theta', psi')."""


def dirac_value(theta: Tensor, psi: Tensor) -> Tensor:
    """Return gan_value of the two numbers: -log 2 + log sigmoid(-psi theta).

    Book: eq-dirac-value. Source: Mescheder et al. 2018.
    """
    fake = torch.as_tensor(psi * theta)
    return torch.nn.functional.logsigmoid(-fake) - math.log(2)


def minimax(theta: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
    """Return (psi, -theta) sigmoid(psi theta): psi up the value, theta down.

    The two turn about 0 and keep theta^2 + psi^2.
    Book: eq-dirac-minimax, eq-dirac-circle.
    """
    doubt = torch.sigmoid(psi * theta)
    return psi * doubt, -theta * doubt


def non_saturating(theta: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
    """Return minimax, but theta goes up log sigmoid(psi theta).

    theta^2 + psi^2 falls at the rate 2 u tanh(u / 2), with u = psi theta:
    near 0 like 8 / time.
    Book: eq-dirac-non-saturating, eq-dirac-creep.
    """
    return psi * torch.sigmoid(-psi * theta), minimax(theta, psi)[1]


def wasserstein(theta: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
    """Return (psi, -theta): the value is the mean logits' difference.

    Source: Arjovsky et al. 2017, without the bound on psi.
    """
    return psi, -theta


def with_r1(velocity: Velocity, gamma: float) -> Velocity:
    """Return the velocity where psi pays gamma / 2 psi^2, R1's penalty.

    Book: eq-dirac-r1. Source: Mescheder et al. 2018.
    """

    def penalised(theta: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        d_theta, d_psi = velocity(theta, psi)
        return d_theta, d_psi - gamma * psi

    return penalised


def with_consensus(velocity: Velocity, gamma: float) -> Velocity:
    """Return the velocity v - gamma grad(|v|^2 / 2): both also slow down.

    Source: Mescheder et al. 2017.
    """

    def agreed(theta: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            at = [x.detach().clone().requires_grad_() for x in (theta, psi)]
            d_theta, d_psi = velocity(*at)
            speed = (d_theta.square().sum() + d_psi.square().sum()) / 2
            slope_theta, slope_psi = torch.autograd.grad(speed, at)
        d_theta, d_psi = velocity(theta, psi)
        return d_theta - gamma * slope_theta, d_psi - gamma * slope_psi

    return agreed


def simultaneous_step(
    velocity: Velocity, theta: Tensor, psi: Tensor, h: float
) -> tuple[Tensor, Tensor]:
    """Return both after a step of size h, each from where the other was."""
    d_theta, d_psi = velocity(theta, psi)
    return theta + h * d_theta, psi + h * d_psi


def alternating_step(
    velocity: Velocity, theta: Tensor, psi: Tensor, h: float
) -> tuple[Tensor, Tensor]:
    """Return psi after its step, and theta after one that knows of it.

    Without a penalty, a step near 0 has two factors of size 1, for all h
    up to 2 / turn, where turn is 1/2, or 1 for wasserstein.
    Book: eq-dirac-alternating.
    """
    psi = psi + h * velocity(theta, psi)[1]
    return theta + h * velocity(theta, psi)[0], psi


def orbit(
    step: Callable[[Velocity, Tensor, Tensor, float], tuple[Tensor, Tensor]],
    velocity: Velocity,
    start: tuple[float, float],
    h: float,
    steps: int,
) -> Tensor:
    """Return where the game goes, in float64: (steps + 1, 2)."""
    (h,), (steps,) = inside(0, math.inf, h=h), whole(1, steps=steps)
    theta, psi = torch.tensor(start, dtype=torch.float64)
    points = [torch.stack([theta, psi])]
    for _ in range(steps):
        theta, psi = step(velocity, theta, psi, h)
        points.append(torch.stack([theta, psi]))
    return torch.stack(points)


def r1_eigenvalues(gamma: float, turn: float = 0.5) -> Tensor:
    """Return the two eigenvalues of the velocity at 0 with R1, (2,).

    -gamma / 2 +- sqrt(gamma^2 / 4 - turn^2), where turn is how fast the
    game turns without it: 1/2, or 1 for wasserstein. Best is gamma = 2 turn.
    Book: eq-dirac-r1-rates. Source: Mescheder et al. 2018.
    """
    root = torch.tensor(gamma**2 / 4 - turn**2, dtype=torch.complex128).sqrt()
    return torch.stack([-gamma / 2 + root, -gamma / 2 - root])


def consensus_eigenvalues(gamma: float, turn: float = 0.5) -> Tensor:
    """Return the two eigenvalues of the velocity at 0 with consensus, (2,).

    -gamma turn^2 +- i turn.
    """
    first = torch.tensor(-gamma * turn**2 + turn * 1j, dtype=torch.complex128)
    return torch.stack([first, first.conj()])


def simultaneous_growth(eigenvalues: Tensor, h: float) -> float:
    """Return the factor of the distance to 0 in a step, in the long run.

    Near 0, the larger |1 + h eigenvalue|: above 1 the game diverges. Without
    a penalty they are +- i / 2, and it is sqrt(1 + h^2 / 4), for all h.
    Book: eq-dirac-growth.
    """
    return float((1 + h * eigenvalues).abs().max())


def bowl_loss(theta: Tensor, t: int, schedule: Schedule) -> Tensor:
    """Return simple_loss of "all data lie at theta", for data at 0.

    snr_t theta^2: this model's best denoiser is (x_t - sqrt(alpha_bar_t)
    theta) / sqrt(1 - alpha_bar_t), linear in theta.
    Book: eq-dirac-bowl.
    """
    return schedule.snr[one_step(t, 1, schedule.T)] * theta**2
