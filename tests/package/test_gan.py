"""The adversarial game, on distributions whose best discriminator is known."""

import math
from functools import partial

import pytest
import torch
from scipy import integrate
from torch.nn import functional as F

from diffusion_lite.data import eight_modes, two_modes
from diffusion_lite.gan import (
    Generator,
    discriminator_loss,
    gan_value,
    generator_loss,
    jensen_shannon,
    optimal_logit,
    point_discriminator,
    point_generator,
    r1_penalty,
    train_gan,
)
from diffusion_lite.metrics import energy_distance
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.networks import MLP, UNet
from experiments.contest import networks
from mutants import mutant


def normal(mean, std):
    return GaussianMixture(
        torch.ones(1), torch.tensor([[mean]]), torch.tensor([[[std**2]]])
    )


def density(mixture, x):
    return float(mixture.log_prob(torch.tensor([[x]]).double()).exp())


def best_value(data, model, generator, n=400_000):
    """Return the value of the game under the best discriminator."""
    real = data.sample(n, generator=generator)
    fake = model.sample(n, generator=generator)
    return float(
        gan_value(
            optimal_logit(real, data, model), optimal_logit(fake, data, model)
        )
    )


@mutant(
    "a value that praises fakes",
    gan_value,
    lambda real, fake: (F.logsigmoid(real) + F.logsigmoid(fake)).mean(),
)
@pytest.mark.equation(
    "eq-gan-value", oracle="the binary cross-entropy of a classifier"
)
def test_the_value_is_minus_a_classifiers_cross_entropy(generator):
    real, fake = torch.randn(2, 500, generator=generator).double()
    logits, is_real = torch.cat([real, fake]), torch.ones(1000).double()
    is_real[500:] = 0
    entropy = F.binary_cross_entropy_with_logits(logits, is_real)
    assert float(gan_value(real, fake)) == pytest.approx(-2 * float(entropy))
    assert discriminator_loss(real, fake) == -gan_value(real, fake)


def test_who_does_not_know_says_one_half():
    nothing = torch.zeros(10)
    assert float(gan_value(nothing, nothing)) == pytest.approx(-math.log(4))


@mutant(
    "a best discriminator upside down",
    optimal_logit,
    lambda x, data, model: model.log_prob(x) - data.log_prob(x),
)
@pytest.mark.equation(
    "eq-optimal-discriminator",
    oracle="Bayes' rule on a grid, and a search for a better one",
)
def test_no_discriminator_beats_the_optimal_one(generator):
    data, model = two_modes(), normal(0.3, 0.8)
    x = torch.linspace(-3, 3, 61).double()[:, None]
    p, q = (
        torch.tensor([density(mixture, float(v)) for v in x[:, 0]]).double()
        for mixture in (data, model)
    )
    logit = optimal_logit(x, data, model)
    assert torch.allclose(logit.sigmoid(), p / (p + q), atol=1e-12)
    # The value at each x is p log sigmoid(l) + q log sigmoid(-l).
    here = p * F.logsigmoid(logit) + q * F.logsigmoid(-logit)
    for other in (logit + 0.05, logit - 0.05, 1.1 * logit, 0 * logit):
        there = p * F.logsigmoid(other) + q * F.logsigmoid(-other)
        assert (there <= here + 1e-15).all()
    assert best_value(data, model, generator, 1000) > -math.log(4)


def without_the_middle(data, model, *, generator, n=100_000):
    def kl(p, q):
        x = p.sample(n, generator=generator)
        return (p.log_prob(x) - q.log_prob(x)).mean()

    return (kl(data, model) + kl(model, data)) / 2


@mutant(
    "Jensen-Shannon without the middle", jensen_shannon, without_the_middle
)
@pytest.mark.equation(
    "eq-jensen-shannon", oracle="quadrature on a line, by scipy"
)
def test_jensen_shannon_is_that_of_quadrature(generator):
    data, model = two_modes(), normal(0.3, 0.8)

    def integrand(x):
        p, q = density(data, x), density(model, x)
        middle = (p + q) / 2
        return (p * math.log(p / middle) + q * math.log(q / middle)) / 2

    exact, _ = integrate.quad(integrand, -6, 6, limit=200)
    found = float(jensen_shannon(data, model, generator=generator))
    assert found == pytest.approx(exact, abs=0.004)


@pytest.mark.equation(
    "eq-value-at-best",
    oracle="the value of the best discriminator, on draws",
)
def test_the_best_value_measures_the_divergence(generator):
    for model in (normal(0.3, 0.8), normal(3.0, 0.5), two_modes()):
        found = best_value(two_modes(), model, generator)
        divergence = jensen_shannon(two_modes(), model, generator=generator)
        assert found == pytest.approx(
            2 * float(divergence) - math.log(4), abs=0.01
        )


def test_far_apart_the_divergence_is_log_2(generator):
    found = jensen_shannon(
        normal(-30.0, 1.0), normal(30.0, 1.0), generator=generator
    )
    assert float(found) == pytest.approx(math.log(2))


@mutant(
    "a generator's loss that saturates",
    generator_loss,
    lambda fake_logit: F.logsigmoid(-fake_logit).mean(),
)
@pytest.mark.equation(
    "eq-non-saturating", oracle="slopes by autograd, where fakes are bad"
)
def test_the_non_saturating_loss_pulls_where_the_value_does_not():
    logit = torch.tensor([-10.0], requires_grad=True)
    (pull,) = torch.autograd.grad(generator_loss(logit), logit)
    (saturated,) = torch.autograd.grad(gan_value(torch.zeros(1), logit), logit)
    # Both go up with the logit: downhill is towards "real".
    assert float(pull) == pytest.approx(-1, abs=1e-4)
    assert -1e-4 < float(saturated) < 0
    balanced = torch.zeros(1, requires_grad=True)
    (pull,) = torch.autograd.grad(generator_loss(balanced), balanced)
    assert float(pull) == -0.5


@mutant(
    "R1 without the square",
    r1_penalty,
    lambda right, discriminator, x: right(discriminator, x).sqrt(),
)
@pytest.mark.equation("eq-r1", oracle="finite differences of the logit")
def test_r1_is_the_squared_slope(generator):
    torch.manual_seed(0)
    discriminator = point_discriminator(20).double()
    x = torch.randn(50, 2, generator=generator).double()
    h, found = 1e-5, 0.0
    for step in h * torch.eye(2).double():
        slope = (discriminator(x + step) - discriminator(x - step)) / (2 * h)
        found += float(slope.detach().square().mean())
    assert float(r1_penalty(discriminator, x).detach()) == pytest.approx(
        found, rel=1e-4
    )


def test_r1_reaches_the_discriminators_weights(generator):
    discriminator = point_discriminator(20)
    r1_penalty(
        discriminator, torch.randn(5, 2, generator=generator)
    ).backward()
    for name, p in discriminator.named_parameters():
        if name.endswith("weight"):  # a bias moves kinks, not slopes
            assert p.grad.any(), name


BUILDS = ("perceptron", "convolution")


def picture_generator(build):
    return networks.generator(build, 32, picture=True)


def picture_denoiser(build):
    return networks.denoiser(build, picture=True)


def test_generators_have_the_size_of_the_denoisers():
    def size(model):
        return sum(p.numel() for p in model.parameters())

    assert size(point_generator()) == pytest.approx(size(MLP()), rel=0.02)
    for build in BUILDS:
        for make in (picture_generator, picture_denoiser):
            assert size(make(build)) == pytest.approx(
                size(UNet(width=24)), rel=0.02
            )


@pytest.mark.parametrize(
    ("make", "discriminator", "shape"),
    [
        (point_generator, point_discriminator, (2,)),
        *(
            (
                partial(picture_generator, build),
                partial(networks.discriminator, build, picture=True),
                (1, 8, 8),
            )
            for build in BUILDS
        ),
    ],
)
def test_a_game_moves_every_parameter(make, discriminator, shape, generator):
    torch.manual_seed(0)
    players = make(), discriminator()
    before = [[p.clone() for p in net.parameters()] for net in players]
    data = torch.rand(64, *shape, generator=generator) - 0.5
    run = train_gan(
        *players,
        data,
        steps=2,
        batch_size=16,
        lr=1e-2,
        gamma=1.0,
        generator=generator,
    )
    steps = [(game.step, game.loss, game.discriminator_loss) for game in run]
    assert [step for step, *_ in steps] == [1, 2]
    assert all(math.isfinite(loss) for _, *losses in steps for loss in losses)
    for net, old in zip(players, before, strict=True):
        for (name, new), start in zip(
            net.named_parameters(), old, strict=True
        ):
            assert not torch.equal(new, start), name
    assert players[0].sample(3, generator=generator).shape == (3, *shape)


def test_the_same_seed_plays_the_same_game():
    def weights():
        torch.manual_seed(0)
        net = point_generator(width=8)
        run = train_gan(
            net,
            point_discriminator(8),
            torch.zeros(4, 2),
            steps=3,
            batch_size=4,
            lr=1e-2,
            generator=torch.Generator().manual_seed(0),
        )
        for _ in run:
            pass
        return torch.cat([p.flatten() for p in net.parameters()])

    assert torch.equal(weights(), weights())


@pytest.mark.slow
def test_a_regularised_game_comes_near_the_ring(generator):
    mixture = eight_modes()
    torch.manual_seed(0)
    run = train_gan(
        point_generator(),
        point_discriminator(),
        mixture.sample(20_000, generator=generator).float(),
        steps=600,
        batch_size=256,
        lr=3e-3,
        gamma=0.1,
        generator=generator,
    )
    real = mixture.sample(2000, generator=generator).float()
    apart = {}
    for game in run:
        if game.step in (1, 600):
            drawn = game.ema.sample(2000, generator=generator)
            apart[game.step] = float(energy_distance(drawn, real))
    assert apart[600] < 0.02 < apart[1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"steps": 0}, "steps must be .* got 0"),
        ({"batch_size": 0}, "batch_size must be .* got 0"),
        ({"lr": -1.0}, "lr must be .* got -1"),
        ({"gamma": -0.1}, "gamma must be .* at least 0, got -0.1"),
    ],
)
def test_a_game_refuses_what_makes_no_sense(wrong, words, generator):
    right = {"steps": 1, "batch_size": 2, "lr": 1e-3, "gamma": 0.0}
    with pytest.raises(ValueError, match=words):
        train_gan(
            point_generator(),
            point_discriminator(),
            torch.zeros(4, 2),
            generator=generator,
            **right | wrong,
        )


def test_a_game_that_blows_up_says_so(generator):
    broken = Generator(torch.nn.Linear(2, 2), 2)
    torch.nn.init.constant_(broken.body.weight, torch.nan)
    run = train_gan(
        broken,
        point_discriminator(4),
        torch.zeros(4, 2),
        steps=1,
        batch_size=2,
        lr=1e-3,
        generator=generator,
    )
    with pytest.raises(FloatingPointError, match="lower lr"):
        next(run)


def test_no_samples_cannot_be_drawn(generator):
    with pytest.raises(ValueError, match=r"n must be .* at least 1, got 0"):
        point_generator().sample(0, generator=generator)
