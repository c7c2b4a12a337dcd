"""The networks of the contest: a perceptron and a convolution for each role.

What samples has about 40,000 parameters in the plane and 184,000 on the 8x8
digits, whatever its method and its build; a discriminator has about as many.
"""

from torch import Tensor, nn

from diffusion_lite.gan import Generator, point_discriminator, point_generator
from diffusion_lite.networks import MLP, UNet, perceptron


class FlatMLP(nn.Module):
    """A denoiser of 8x8 pictures that knows of no neighbours."""

    def __init__(self, width: int = 134) -> None:
        super().__init__()
        self.net = MLP(64, width)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Return eps_hat (B, 1, 8, 8)."""
        return self.net(x_t.flatten(1), t).view_as(x_t)


def denoiser(build: str, *, picture: bool) -> nn.Module:
    """Return a network that predicts the noise."""
    if not picture:
        return MLP()
    return UNet(width=24) if build == "convolution" else FlatMLP()


def generator(build: str, noise_dim: int, *, picture: bool) -> Generator:
    """Return a generator of points or of 8x8 pictures."""
    if not picture:
        return point_generator(noise_dim)
    make = _growing if build == "convolution" else _flat
    return Generator(nn.Sequential(make(noise_dim), nn.Tanh()), noise_dim)


def discriminator(build: str, *, picture: bool) -> nn.Module:
    """Return a discriminator: logits (B, 1)."""
    if not picture:
        return point_discriminator()
    if build == "convolution":
        return _shrinking()
    return nn.Sequential(nn.Flatten(), perceptron(64, 279, 3, 1, nn.LeakyReLU))


def _flat(noise_dim: int) -> nn.Module:
    return nn.Sequential(
        perceptron(noise_dim, 279, 3, 64, nn.LeakyReLU),
        nn.Unflatten(1, (1, 8, 8)),
    )


def _growing(noise_dim: int) -> nn.Module:
    """Return noise to pictures by way of 2x2 and 4x4, as DCGAN's.

    Without its batch normalisation, which R1 does without.
    Source: Radford et al. 2016.
    """
    return nn.Sequential(
        nn.Linear(noise_dim, 4 * 96),
        nn.Unflatten(1, (96, 2, 2)),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(96, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(64, 68, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(68, 1, 3, padding=1),
    )


def _shrinking() -> nn.Module:
    """Return pictures to logits by way of 4x4 and 2x2, as DCGAN's."""
    return nn.Sequential(
        nn.Conv2d(1, 68, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(68, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 96, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(4 * 96, 1),
    )
