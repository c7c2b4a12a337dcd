"""The GAN of the contest that makes 8x8 pictures."""

from torch import nn

from diffusion_lite.gan import Generator
from diffusion_lite.networks import perceptron


def picture_generator(noise_dim: int = 32, width: int = 279) -> Generator:
    """Return a generator of 8x8 pictures, of UNet(width=24)'s size."""
    body = nn.Sequential(
        perceptron(noise_dim, width, 3, 64, nn.LeakyReLU),
        nn.Tanh(),
        nn.Unflatten(1, (1, 8, 8)),
    )
    return Generator(body, noise_dim)


def picture_discriminator(width: int = 279) -> nn.Module:
    """Return a discriminator of 8x8 pictures: logits (B, 1)."""
    return nn.Sequential(
        nn.Flatten(), perceptron(64, width, 3, 1, nn.LeakyReLU)
    )
