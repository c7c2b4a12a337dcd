"""A variational autoencoder: a small latent, and a bound on log p(x)."""

import math

import torch
from torch import Tensor, nn

from diffusion_lite.arguments import batch, normal, whole
from diffusion_lite.elbo import normal_kl, normal_log_prob
from diffusion_lite.networks import in_dtype_of, perceptron


class VAE(nn.Module):
    """Latents z ~ N(0, I), and x given z ~ N(decode(z), std^2).

    ``encoder`` maps x to 2 latent_dim numbers, the mean and the log of the
    variance of q(z | x); ``decoder`` maps z to the mean of x. There is one
    std, and it is learned.
    Source: Kingma and Welling 2014.
    Shapes: x (B, ...), z (B, latent_dim).
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, latent_dim: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        (self.latent_dim,) = whole(1, latent_dim=latent_dim)
        self.log_std = nn.Parameter(torch.tensor(-1.0))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the variance of q(z | x), (B, latent_dim)."""
        x = in_dtype_of(self, batch("x", x))
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance.exp()

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean of x given z, (B, ...)."""
        return self.decoder(in_dtype_of(self, z))

    def elbo(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """Return an estimate of a lower bound on log p(x), in nats: (B,).

        E[log p(x | z)] - KL(q(z | x) || N(0, I)), with one sample of z.
        Book: eq-vae-elbo, eq-vae-gap, eq-vae-kl.
        Source: Kingma and Welling 2014, eq. 1 and 3.
        """
        mean, variance = self.encode(x)
        z = reparameterise(mean, variance, _noise(mean, generator))
        zero, one = torch.zeros_like(mean), torch.ones_like(mean)
        kl = normal_kl(mean, variance, zero, one).sum(1)
        return self.log_likelihood(x, z) - kl

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x | z), in nats: (B,)."""
        variance = (2 * self.log_std).exp()
        return normal_log_prob(x, self.decode(z), variance).flatten(1).sum(1)

    @torch.no_grad()
    def log_prob(
        self, x: Tensor, *, samples: int, generator: torch.Generator
    ) -> Tensor:
        """Return an estimate of log p(x) itself, in nats: (B,).

        log of the mean of p(x | z) p(z) / q(z | x), over samples of z:
        a lower bound on average, and closer with more samples.
        Book: eq-vae-marginal, eq-importance.
        Source: Burda et al. 2016, eq. 8.
        """
        (samples,) = whole(1, samples=samples)
        mean, variance = self.encode(x)
        weights = []
        for _ in range(samples):
            z = reparameterise(mean, variance, _noise(mean, generator))
            one = torch.ones_like(z)
            prior = normal_log_prob(z, torch.zeros_like(z), one)
            ratio = prior - normal_log_prob(z, mean, variance)
            weights.append(self.log_likelihood(x, z) + ratio.sum(1))
        return torch.stack(weights).logsumexp(0) - math.log(samples)

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Return n samples of x, the decoder's noise included: (n, ...)."""
        (n,) = whole(1, n=n)
        mean = self.decode(normal((n, self.latent_dim), generator))
        return mean + self.log_std.exp() * _noise(mean, generator)


def reparameterise(mean: Tensor, variance: Tensor, noise: Tensor) -> Tensor:
    """Return z = mean + sqrt(variance) noise: a sample of N(mean, variance).

    Written so, the sample has a gradient in mean and variance.
    Book: eq-reparameterise. Source: Kingma and Welling 2014, section 2.4.
    """
    return mean + variance.sqrt() * noise


def vae_loss(model: VAE, x: Tensor, *, generator: torch.Generator) -> Tensor:
    """Return -elbo, its mean over the batch in nats per dimension."""
    return -model.elbo(x, generator=generator).mean() / x[0].numel()


def point_vae(latent_dim: int = 2, width: int = 140) -> VAE:
    """Return a VAE of points in the plane, its decoder of MLP()'s size."""
    return VAE(
        perceptron(2, width, 3, 2 * latent_dim),
        perceptron(latent_dim, width, 3, 2),
        latent_dim,
    )


def picture_vae(latent_dim: int = 16, width: int = 284) -> VAE:
    """Return a VAE of 8x8 pictures, its decoder of UNet(width=24)'s size."""
    encoder = perceptron(64, width, 3, 2 * latent_dim)
    decoder = perceptron(latent_dim, width, 3, 64)
    return VAE(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Sequential(decoder, nn.Unflatten(1, (1, 8, 8))),
        latent_dim,
    )


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    return normal(like.shape, generator).to(like)
