"""The adversarial game: a generator of samples, and a discriminator of them.

A discriminator gives a logit: large where it takes x for real.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lite.arguments import at_least, normal, whole
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.networks import in_dtype_of, perceptron
from diffusion_lite.training import (
    checked_data,
    checked_options,
    learning_rate,
    optimizer_step,
    sample_batch,
    start,
    steady,
    update_ema,
)


def gan_value(real_logit: Tensor, fake_logit: Tensor) -> Tensor:
    """Return the value of the game, a scalar <= 0, in nats.

    E[log sigmoid(real_logit)] + E[log sigmoid(-fake_logit)]: the
    discriminator wants it large, the generator small.
    Book: eq-gan-value. Source: Goodfellow et al. 2014, eq. 1.
    """
    return F.logsigmoid(real_logit).mean() + F.logsigmoid(-fake_logit).mean()


def optimal_logit(
    x: Tensor, data: GaussianMixture, model: GaussianMixture
) -> Tensor:
    """Return the logit of the optimal discriminator, (B,).

    log p_data(x) - log p_model(x), so that its sigmoid is
    p_data / (p_data + p_model).
    Book: eq-optimal-discriminator.
    Source: Goodfellow et al. 2014, proposition 1.
    """
    return data.log_prob(x) - model.log_prob(x)


def jensen_shannon(
    data: GaussianMixture,
    model: GaussianMixture,
    *,
    generator: torch.Generator,
    n: int = 100_000,
) -> Tensor:
    """Return the Jensen-Shannon divergence, 0 to log 2 nats, from n samples.

    (KL(data || middle) + KL(model || middle)) / 2, where the middle is the
    half-and-half mixture of both. Under the best discriminator, gan_value
    is twice this minus log 4.
    Book: eq-jensen-shannon, eq-value-at-best.
    Source: Goodfellow et al. 2014, the proof of theorem 1.
    """
    kl_data = _kl_to_middle(data, model, n, generator)
    return (kl_data + _kl_to_middle(model, data, n, generator)) / 2


def _kl_to_middle(
    p: GaussianMixture, q: GaussianMixture, n: int, generator: torch.Generator
) -> Tensor:
    x = p.sample(n, generator=generator)
    log_p, log_q = p.log_prob(x), q.log_prob(x)
    middle = torch.logaddexp(log_p, log_q) - math.log(2)
    return (log_p - middle).mean()


def discriminator_loss(real_logit: Tensor, fake_logit: Tensor) -> Tensor:
    """Return what the discriminator minimises: -gan_value, a scalar."""
    return -gan_value(real_logit, fake_logit)


def generator_loss(fake_logit: Tensor) -> Tensor:
    """Return what the non-saturating generator minimises, a scalar.

    -E[log sigmoid(fake_logit)]: its slope is steepest where the
    discriminator is surest that a fake is a fake.
    Book: eq-non-saturating. Source: Goodfellow et al. 2014, section 3.
    """
    return -F.logsigmoid(fake_logit).mean()


def r1_penalty(discriminator: nn.Module, x: Tensor) -> Tensor:
    """Return E |grad_x logit(x)|^2 over real data, a scalar.

    Half of it, times gamma, is added to the discriminator's loss.
    Book: eq-r1.
    Source: Mescheder et al. 2018, eq. 9 without its gamma / 2.
    """
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(
        discriminator(x).sum(), x, create_graph=True
    )
    return slope.square().flatten(1).sum(1).mean()


class Generator(nn.Module):
    """Noise z (B, noise_dim) to data: one pass of ``body`` a sample."""

    def __init__(self, body: nn.Module, noise_dim: int) -> None:
        super().__init__()
        self.body = body
        (self.noise_dim,) = whole(1, noise_dim=noise_dim)

    def forward(self, z: Tensor) -> Tensor:
        """Return x (B, ...)."""
        return self.body(in_dtype_of(self, z))

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        """Sample z, (n, noise_dim), from N(0, I)."""
        (n,) = whole(1, n=n)
        return normal((n, self.noise_dim), generator)

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Return n samples, (n, ...)."""
        return self(self.noise(n, generator))


def point_generator(noise_dim: int = 2, width: int = 140) -> Generator:
    """Return a generator of points in the plane, of MLP()'s size."""
    return Generator(
        perceptron(noise_dim, width, 3, 2, nn.LeakyReLU), noise_dim
    )


def point_discriminator(width: int = 140) -> nn.Module:
    """Return a discriminator of points in the plane: logits (B, 1)."""
    return perceptron(2, width, 3, 1, nn.LeakyReLU)


@dataclass(eq=False)
class Game:
    """Where a game stands. ``train_gan`` yields it, the same one, each step.

    ``ema`` is the generator to sample with. ``loss`` is the generator's at
    the last step, ``discriminator_loss`` the discriminator's; None before it.
    """

    model: Generator
    discriminator: nn.Module
    ema: Generator
    step: int = 0
    loss: float | None = None
    discriminator_loss: float | None = None


def train_gan(
    model: Generator,
    discriminator: nn.Module,
    data: Tensor,
    *,
    steps: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
    gamma: float = 0.0,
) -> Iterator[Game]:
    """Play the game; yield where it stands after each step.

    In a step the discriminator goes down discriminator_loss, with gamma / 2
    of r1_penalty if gamma is above 0; then the generator goes down
    generator_loss. Both by Adam with less momentum than ``train`` has, and
    with its rates and its moving mean.
    Source: Goodfellow et al. 2014, algorithm 1, with one step of each.
    Shapes: data (N, ...); the discriminator gives logits (B, 1).

    Raises:
        FloatingPointError: a loss or its gradient is not finite any more.
            Where it is the generator's, the discriminator has already
            taken the step.
    """
    options = checked_options(model, steps, batch_size, lr, generator)
    (gamma,) = at_least(0, gamma=gamma)
    states = start(discriminator, 0.5), start(model, 0.5)
    (data,) = checked_data((data,), discriminator)
    game = Game(model, discriminator, cast(Generator, states[1].ema))
    adams = states[0].optimizer, states[1].optimizer
    return _play(game, data, adams, *options, generator, gamma)


def _play(
    game: Game,
    data: Tensor,
    adams: tuple[torch.optim.Optimizer, torch.optim.Optimizer],
    steps: int,
    n: int,
    lr: float,
    generator: torch.Generator,
    gamma: float,
) -> Iterator[Game]:
    while game.step < steps:
        with steady(data.device.type):
            rate = learning_rate(game.step, steps, lr)
            (real,) = sample_batch((data,), n, generator)
            loss = _discriminator_loss(game, real, generator, gamma)
            game.discriminator_loss = optimizer_step(loss, adams[0], rate)
            fake = game.model(game.model.noise(n, generator))
            loss = generator_loss(game.discriminator(fake))
            game.loss = optimizer_step(loss, adams[1], rate)
            update_ema(game.ema, game.model, game.step)
        game.step += 1
        yield game


def _discriminator_loss(
    game: Game, real: Tensor, generator: torch.Generator, gamma: float
) -> Tensor:
    """Return the discriminator's loss on a batch of real data."""
    fake = game.model.sample(len(real), generator=generator)
    loss = discriminator_loss(
        game.discriminator(real), game.discriminator(fake)
    )
    if gamma == 0:
        return loss
    return loss + gamma / 2 * r1_penalty(game.discriminator, real)
