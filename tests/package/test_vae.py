"""The VAE: a bound that is one, in a latent small enough for quadrature."""

import math

import pytest
import torch
from scipy import integrate, stats
from torch import nn

from diffusion_lite.data import eight_modes
from diffusion_lite.elbo import normal_kl, normal_log_prob
from diffusion_lite.networks import MLP, UNet
from diffusion_lite.training import train
from diffusion_lite.vae import (
    VAE,
    picture_vae,
    point_vae,
    reparameterise,
    vae_loss,
)
from mutants import mutant


def small(std=0.4):
    """Return a VAE of points with one latent, in float64."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    decoder = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 2))
    model = VAE(encoder, decoder, 1).double().requires_grad_(False)
    model.log_std.fill_(math.log(std))
    return model


def log_joint(model, x, z):
    """Return log p(x, z) for one x (2,) and a number z, by scipy."""
    mean = model.decode(torch.tensor([[z]]).double())[0].numpy()
    std = float(model.log_std.exp())
    return stats.norm.logpdf(z) + stats.norm.logpdf(x, mean, std).sum()


def exact(model, x):
    """Return log p(x), by quadrature over z."""
    mass, _ = integrate.quad(
        lambda z: math.exp(log_joint(model, x, z)), -8, 8, limit=200
    )
    return math.log(mass)


def divergence(model, x):
    mean, variance = model.encode(x)
    return normal_kl(mean, variance, 0 * mean, torch.ones_like(mean)).sum(1)


def pixels_averaged(self, x, z):
    variance = (2 * self.log_std).exp()
    return normal_log_prob(x, self.decode(z), variance).flatten(1).mean(1)


@mutant(
    "8: a VAE's divergence with the wrong sign",
    (VAE, "elbo"),
    lambda right, self, x, **kw: (
        right(self, x, **kw) + 2 * divergence(self, x)
    ),
)
@mutant(
    "a VAE's pixels averaged, its divergence summed",
    (VAE, "log_likelihood"),
    pixels_averaged,
)
@pytest.mark.equation(
    "eq-vae-elbo", oracle="log p(x) minus a divergence, by quadrature"
)
@pytest.mark.equation(
    "eq-vae-gap", oracle="both of its means, by quadrature and by draws"
)
def test_the_bound_misses_by_the_divergence_to_the_posterior(generator):
    model = small()
    for x in torch.tensor([[0.3, -0.5], [1.0, 0.2]]).double():
        log_p = exact(model, x.numpy())
        mean, variance = (float(v) for v in model.encode(x[None]))
        q = stats.norm(mean, variance**0.5)
        apart, _ = integrate.quad(
            lambda z, q=q, x=x, log_p=log_p: (
                q.pdf(z)
                * (q.logpdf(z) - log_joint(model, x.numpy(), z) + log_p)
            ),
            mean - 9 * variance**0.5,
            mean + 9 * variance**0.5,
        )
        many = x.expand(200_000, 2)
        bound = model.elbo(many, generator=generator)
        error = float(bound.std()) / len(many) ** 0.5
        assert apart > 0
        assert abs(float(bound.mean()) - (log_p - apart)) < 5 * error


@mutant(
    "a VAE's divergence without its half",
    (VAE, "elbo"),
    lambda right, self, x, **kw: right(self, x, **kw) - divergence(self, x),
)
@pytest.mark.equation(
    "eq-vae-kl", oracle="the bound's two parts, the divergence by quadrature"
)
def test_the_bound_is_likelihood_minus_divergence():
    model = small()
    x = torch.tensor([[0.3, -0.5]]).double()
    mean, variance = (float(v) for v in model.encode(x))
    q = stats.norm(mean, variance**0.5)
    kl, _ = integrate.quad(
        lambda z: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), -9, 9
    )
    once = model.elbo(x, generator=torch.Generator().manual_seed(3))
    noise = torch.randn(1, 1, generator=torch.Generator().manual_seed(3))
    z = mean + variance**0.5 * float(noise)
    likelihood = log_joint(model, x[0].numpy(), z) - stats.norm.logpdf(z)
    assert float(once) == pytest.approx(likelihood - kl, abs=1e-6)


def logarithm_before_the_mean(self, x, *, samples, generator):
    bounds = [self.elbo(x, generator=generator) for _ in range(samples)]
    return torch.stack(bounds).mean(0)


def sum_of_the_weights(right, self, x, *, samples, generator):
    found = right(self, x, samples=samples, generator=generator)
    return found + math.log(samples)


@mutant(
    "an estimate that takes the logarithm before the mean",
    (VAE, "log_prob"),
    logarithm_before_the_mean,
)
@mutant(
    "an estimate that sums its weights",
    (VAE, "log_prob"),
    sum_of_the_weights,
)
@pytest.mark.equation(
    "eq-vae-marginal", oracle="quadrature over the latent, by scipy"
)
@pytest.mark.equation(
    "eq-importance", oracle="log p(x) by quadrature over the latent"
)
def test_more_samples_come_closer_to_the_likelihood(generator):
    model, x = small(), torch.tensor([[0.3, -0.5]]).double()
    log_p = exact(model, x[0].numpy())
    gaps = []
    for samples in (1, 5, 100):
        found = model.log_prob(
            x.expand(4000, 2), samples=samples, generator=generator
        )
        gaps.append(log_p - float(found.mean()))
    assert gaps[0] > gaps[1] > gaps[2] - 1e-3
    assert gaps[2] == pytest.approx(0, abs=0.02)


@mutant(
    "3: a variance taken for a standard deviation, in a VAE",
    reparameterise,
    lambda mean, variance, noise: mean + variance * noise,
)
@pytest.mark.equation(
    "eq-reparameterise", oracle="moments, and slopes by finite differences"
)
def test_a_draw_has_its_moments_and_its_slope(generator):
    noise = torch.randn(200_000, generator=generator).double()
    mean, variance = torch.tensor(0.7), torch.tensor(0.3)
    z = reparameterise(mean, variance, noise)
    assert float(z.mean()) == pytest.approx(0.7, abs=0.01)
    assert float(z.var()) == pytest.approx(0.3, abs=0.01)
    # E z^2 = mean^2 + variance: its slopes are 2 mean and 1.
    mean.requires_grad_(), variance.requires_grad_()
    square = reparameterise(mean, variance, noise).square().mean()
    slopes = torch.autograd.grad(square, (mean, variance))
    assert [float(s) for s in slopes] == pytest.approx([1.4, 1.0], abs=0.02)


@torch.no_grad()
def sample_without_noise(self, n, *, generator):
    return self.decode(torch.randn(n, self.latent_dim, generator=generator))


@mutant(
    "a VAE that draws without its noise", (VAE, "sample"), sample_without_noise
)
def test_draws_have_the_decoders_noise(generator):
    model = point_vae()
    for p in model.decoder.parameters():
        torch.nn.init.zeros_(p)
    x = model.sample(20_000, generator=generator)
    assert float(x.std()) == pytest.approx(math.exp(-1), rel=0.03)


def test_draws_follow_the_models_own_law(generator):
    # P(both entries in a box), by quadrature over z, against 40,000 draws.
    model, n = small(), 40_000
    std = float(model.log_std.exp())

    def inside(z, low, high):
        mean = model.decode(torch.tensor([[z]]).double())[0].numpy()
        box = stats.norm.cdf(high, mean, std) - stats.norm.cdf(low, mean, std)
        return stats.norm.pdf(z) * box.prod()

    x = model.float().sample(n, generator=generator)
    model.double()
    for low, high in ((-0.5, 0.0), (0.0, 0.5), (-1.0, 1.0)):
        expected, _ = integrate.quad(inside, -8, 8, args=(low, high))
        found = float(((x > low) & (x < high)).all(1).double().mean())
        error = (expected * (1 - expected) / n) ** 0.5
        assert abs(found - expected) < 4 * error


def test_sizes_are_those_of_the_denoisers():
    def size(model):
        return sum(p.numel() for p in model.parameters())

    assert size(point_vae().decoder) == pytest.approx(size(MLP()), rel=0.02)
    assert size(picture_vae().decoder) == pytest.approx(
        size(UNet(width=24)), rel=0.02
    )


@pytest.mark.parametrize(
    ("make", "shape"), [(point_vae, (2,)), (picture_vae, (1, 8, 8))]
)
def test_every_parameter_learns(make, shape, generator):
    torch.manual_seed(0)
    model = make()
    before = [p.clone() for p in model.parameters()]
    run = train(
        model,
        vae_loss,
        torch.rand(200, *shape, generator=generator) - 0.5,
        steps=200,
        batch_size=64,
        lr=1e-2,
        generator=generator,
    )
    losses = [state.loss for state in run]
    assert sum(losses[-20:]) < sum(losses[:20])
    for (name, new), old in zip(model.named_parameters(), before, strict=True):
        assert not torch.equal(new, old), name
    assert model.sample(3, generator=generator).shape == (3, *shape)


def test_the_bound_stays_below_the_laws_own_likelihood(generator):
    mixture = eight_modes()
    model = point_vae()
    x = mixture.sample(20_000, generator=generator).float()
    bound = float(model.elbo(x, generator=generator).mean().detach())
    assert bound < float(mixture.log_prob(x.double()).mean())


def test_no_samples_cannot_be_drawn(generator):
    with pytest.raises(ValueError, match=r"n must be .* at least 1, got 0"):
        point_vae().sample(0, generator=generator)


def test_an_estimate_needs_a_sample(generator):
    with pytest.raises(
        ValueError, match=r"samples must be .* at least 1, got 0"
    ):
        small().log_prob(torch.zeros(3, 2), samples=0, generator=generator)


def test_an_x_that_is_not_finite_is_refused(generator):
    x = torch.tensor([[0.0, math.inf]])
    with pytest.raises(ValueError, match="x must be finite, got 1 NaN"):
        point_vae().elbo(x, generator=generator)
