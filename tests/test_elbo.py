"""The bound's terms, against quadrature and exact likelihoods."""

import math

import pytest
import torch

from diffusion_lite.data import eight_modes, two_modes
from diffusion_lite.elbo import (
    bits_per_dim,
    elbo_terms,
    eps_error,
    normal_kl,
    prior_term,
    simple_loss,
)
from diffusion_lite.forward import q_sample
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.posterior import forward_variance, posterior_variance
from diffusion_lite.schedules import cosine_schedule, linear_schedule

SCHEDULE = linear_schedule(20)
LINE = torch.linspace(-9, 9, 2001, dtype=torch.float64)


def exact(law, schedule):
    """Return the law's best denoiser as an eps_model."""
    return lambda x_t, t: law.eps(x_t, t, schedule)


def double(*values):
    return [torch.tensor(v, dtype=torch.float64) for v in values]


@pytest.mark.parametrize(
    "arguments",
    [(0.0, 1.0, 0.0, 1.0), (1.0, 0.5, -0.3, 2.0), (0.0, 3.0, 0.1, 0.7)],
)
def test_normal_kl_by_quadrature(arguments):
    mean_1, variance_1, mean_2, variance_2 = double(*arguments)
    x = torch.linspace(-30, 30, 200_001, dtype=torch.float64)
    p = torch.distributions.Normal(mean_1, variance_1.sqrt())
    q = torch.distributions.Normal(mean_2, variance_2.sqrt())
    integrand = p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x))
    torch.testing.assert_close(
        normal_kl(mean_1, variance_1, mean_2, variance_2),
        torch.trapezoid(integrand, x),
        rtol=1e-8,
        atol=1e-12,
    )


def test_normal_kl_of_equal_variances_is_a_squared_distance():
    mean_1, mean_2, variance = double(1.0, 4.0, 0.5)
    kl = normal_kl(mean_1, variance, mean_2, variance)
    assert float(kl) == 3**2 / (2 * 0.5)


def test_normal_kl_is_never_negative_even_in_float32():
    variance = 1 + 1e-4 * torch.linspace(-1, 1, 10_001)
    zero, one = torch.zeros(1), torch.ones(1)
    assert float(normal_kl(zero, variance, zero, one).min()) >= 0


def test_normal_kl_bad_input():
    zero, one = torch.zeros(2), torch.ones(2)
    with pytest.raises(ValueError, match="variance_1 must be positive, got"):
        normal_kl(zero, -one, zero, one)
    with pytest.raises(ValueError, match="entry of 0"):
        normal_kl(zero, one, zero, zero)
    with pytest.raises(ValueError, match="variance_2 must be positive"):
        normal_kl(zero, one, zero, one * math.nan)


def test_bits_per_dim_of_a_fair_coin():
    assert bits_per_dim(64 * math.log(2), 64) == pytest.approx(1.0)
    assert float(bits_per_dim(torch.tensor(math.log(4)), 2)) == 1.0
    assert bits_per_dim(math.log(2), 1) == 1.0
    with pytest.raises(ValueError, match="num_dims must be at least 1, got 0"):
        bits_per_dim(1.0, 0)


def test_simple_loss_is_a_mean_of_squares(generator):
    x_0 = torch.randn(4, 3, generator=generator)
    eps = torch.randn(4, 3, generator=generator)
    t = torch.tensor([1, 5, 10, 20])
    seen = []

    def model(x_t, t):
        seen.append((x_t, t))
        return torch.ones_like(x_t)

    loss = simple_loss(model, x_0, t, eps, SCHEDULE)
    expected = sum((e - 1) ** 2 for e in eps.flatten().tolist()) / 12
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    rows = eps_error(model, x_0, t, eps, SCHEDULE)
    assert rows.shape == (4,)
    assert float(rows.mean()) == pytest.approx(float(loss), rel=1e-6)
    assert torch.equal(seen[0][0], q_sample(x_0, t, eps, SCHEDULE))
    assert torch.equal(seen[0][1], t)
    simple_loss(model, x_0, 7, eps, SCHEDULE)
    assert torch.equal(seen[2][1], torch.full((4,), 7))


def test_simple_loss_of_the_best_denoiser_is_the_floor(generator):
    law, schedule = eight_modes(), cosine_schedule(100)
    x_0 = law.sample(50_000, generator=generator)
    eps = torch.randn(x_0.shape, generator=generator, dtype=torch.float64)
    errors = eps_error(exact(law, schedule), x_0, 30, eps, schedule)
    floor, floor_error = law.floor(30, schedule, generator=generator)
    error = math.hypot(float(errors.std()) / 50_000**0.5, float(floor_error))
    assert abs(float(errors.mean() - floor)) < 4 * error


def test_a_model_of_wrong_shape_is_named():
    x = torch.ones(2, 3)
    with pytest.raises(ValueError, match="eps_model must return x_t's shape"):
        simple_loss(lambda x_t, t: x_t[:, :1], x, 1, x, SCHEDULE)


def term_by_quadrature(law, t, variance):
    """Return L_{t-1} of the best denoiser, integrated over x_0 and x_t.

    Written with variances and expectations only: no posterior_mean, no
    normal_kl. The KL of two Gaussians is a mean of log-density ratios.
    """
    alpha_bar, beta = SCHEDULE.alpha_bar, float(SCHEDULE.beta[t])
    a_t, a_s = float(alpha_bar[t]), float(alpha_bar[t - 1])
    x_0, eps = LINE[:, None], LINE[None, ::10]
    weight = law.log_prob(LINE[:, None]).exp()[:, None] * torch.exp(
        -eps.square() / 2
    )
    weight = weight / weight.sum()
    x_t = math.sqrt(a_t) * x_0 + math.sqrt(1 - a_t) * eps
    eps_hat = law.eps(x_t.reshape(-1, 1), t, SCHEDULE).reshape(x_t.shape)
    # the two means differ by the noise that is not taken off rightly
    shift = beta / math.sqrt((1 - a_t) * (1 - beta)) * (eps - eps_hat)
    variance_p = float(variance(t, SCHEDULE))
    if t == 1:
        nats = shift.square() / variance_p + math.log(2 * math.pi * variance_p)
        return float((weight * nats).sum() / 2)
    ratio = beta * (1 - a_s) / (1 - a_t) / variance_p
    nats = ratio - 1 - math.log(ratio) + shift.square() / variance_p
    return float((weight * nats).sum() / 2)


@pytest.mark.parametrize("variance", [forward_variance, posterior_variance])
def test_elbo_terms_by_quadrature(variance, generator):
    law, n = two_modes(), 40_000
    repeats = torch.stack(
        [
            elbo_terms(
                exact(law, SCHEDULE),
                law.sample(n // 8, generator=generator),
                SCHEDULE,
                generator=generator,
                variance=variance,
            )
            for _ in range(8)
        ]
    )
    terms, error = repeats.mean(0), repeats.std(0) / 8**0.5
    assert terms.shape == (21,)
    for t in (1, 2, 3, 10, 19, 20):
        used = forward_variance if t == 1 else variance
        expected = term_by_quadrature(law, t, used)
        off = abs(float(terms[t - 1]) - expected)
        assert off < 5 * float(error[t - 1]) + 1e-9, t


def test_prior_term_by_quadrature(generator):
    # unit variance on the average: the schedule's own closed form, in bits
    x_0 = two_modes().sample(200_000, generator=generator)
    nats = prior_term(x_0, SCHEDULE)
    expected = SCHEDULE.prior_bits * math.log(2)
    assert float(nats) == pytest.approx(expected, rel=0.05)
    last = elbo_terms(
        lambda x_t, t: x_t, x_0[:8], SCHEDULE, generator=generator
    )[-1]
    torch.testing.assert_close(last, prior_term(x_0[:8], SCHEDULE))


@pytest.mark.parametrize(
    ("law", "n", "steps"),
    [(two_modes(), 60_000, (10, 40)), (eight_modes(), 4_000, (20, 80, 320))],
)
def test_the_sum_bounds_the_exact_nll_and_tightens_with_T(
    law, n, steps, generator
):
    x_0 = law.sample(n, generator=generator)
    nll = float(-law.log_prob(x_0).mean())
    gaps = []
    for T in steps:
        schedule = linear_schedule(T)
        model = exact(law, schedule)
        terms = elbo_terms(model, x_0, schedule, generator=generator)
        gaps.append(float(terms.sum()) - nll)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] > 0


def test_a_worse_denoiser_has_a_worse_bound(generator):
    law = two_modes()
    x_0 = law.sample(4_000, generator=generator)
    sums = [
        float(
            elbo_terms(
                lambda x_t, t, c=c: c * law.eps(x_t, t, SCHEDULE),
                x_0,
                SCHEDULE,
                generator=torch.Generator().manual_seed(1),
            ).sum()
        )
        for c in (1.0, 0.9, 0.5)
    ]
    assert sums[0] < sums[1] < sums[2]


def test_elbo_of_a_point_mass_like_law_is_near_exact(generator):
    # A single narrow Gaussian: the posterior variance is nearly right.
    law = GaussianMixture(
        torch.ones(1), torch.zeros(1, 1), torch.tensor([[[1.0]]])
    )
    x_0 = law.sample(20_000, generator=generator)
    schedule = linear_schedule(1000)
    nll = float(-law.log_prob(x_0).mean())
    terms = elbo_terms(
        exact(law, schedule), x_0[:2000], schedule, generator=generator
    )
    assert abs(float(terms.sum()) - nll) < 0.05


def test_elbo_terms_of_pictures_are_those_of_their_pixels():
    net = torch.nn.Linear(1, 1)  # something to train, for its gradient

    def model(x_t, t):
        return net.weight * (1 - SCHEDULE.alpha_bar[t[0]]).sqrt() * x_t

    rows = torch.linspace(-1, 1, 24).reshape(6, 4)
    flat, pictures, double, other = (
        elbo_terms(
            model,
            x_0,
            SCHEDULE,
            generator=torch.Generator().manual_seed(seed),
        )
        for x_0, seed in (
            (rows, 0),
            (rows.reshape(6, 1, 2, 2), 0),
            (rows.double(), 0),
            (rows, 1),
        )
    )
    assert flat.shape == (21,)
    assert flat.dtype == torch.float64
    assert not flat.requires_grad
    assert torch.equal(flat, pictures)
    torch.testing.assert_close(flat, double, rtol=1e-4, atol=1e-6)
    assert not torch.equal(flat, other)
    errors = eps_error(
        model, rows.reshape(6, 1, 2, 2), 3, rows.reshape(6, 1, 2, 2), SCHEDULE
    )
    assert errors.shape == (6,)
    flat_rows = rows.flatten()
    alone = eps_error(lambda x, t: x, flat_rows, 3, flat_rows, SCHEDULE)
    assert alone.shape == (24,)


def test_elbo_terms_bad_input(generator):
    with pytest.raises(ValueError, match="x_0 must be finite"):
        elbo_terms(
            lambda x_t, t: x_t,
            torch.tensor([[math.nan]]),
            SCHEDULE,
            generator=generator,
        )
