"""The reverse posterior, against Bayes' rule done by numbers."""

import math

import pytest
import torch

from diffusion_lite.arguments import at
from diffusion_lite.data import two_modes
from diffusion_lite.forward import q_mean_variance, q_step
from diffusion_lite.parameterization import eps_from_x_0
from diffusion_lite.posterior import (
    forward_variance,
    posterior_mean,
    posterior_mean_from_eps,
    posterior_variance,
    reverse_variance,
)
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from mutants import mutant

LINEAR = linear_schedule(100)
COSINE = cosine_schedule(100)


def log_normal(x, mean, variance):
    return -(x - mean).square() / (2 * variance) - variance.log() / 2


def with_alpha_bar(x_0, x_t, t, schedule):
    alpha_bar_t = schedule.alpha_bar
    alpha_bar_s = alpha_bar_t.roll(1)
    weight_0 = alpha_bar_s.sqrt() * schedule.beta / (1 - alpha_bar_t)
    weight_t = alpha_bar_t.sqrt() * (1 - alpha_bar_s) / (1 - alpha_bar_t)
    return at(weight_0, t, x_0) * x_0 + at(weight_t, t, x_0) * x_t


def with_weights_swapped(right, x_0, x_t, t, schedule):
    return right(x_t, x_0, t, schedule)


def one_step_late(right, x_0, x_t, t, schedule):
    return right(x_0, x_t, min(t + 1, schedule.T), schedule)


def std_as_variance(right, t, schedule):
    return right(t, schedule).sqrt()


@mutant("5: alpha_bar_t on x_t", posterior_mean, with_alpha_bar)
@mutant(
    "the posterior's weights swapped", posterior_mean, with_weights_swapped
)
@mutant("6: the posterior one step late", posterior_mean, one_step_late)
@mutant("22: beta for beta-tilde", posterior_variance, forward_variance)
@mutant(
    "3: the posterior's standard deviation as its variance",
    posterior_variance,
    std_as_variance,
)
@pytest.mark.equation("eq-bayes", oracle="Bayes' rule on a grid")
@pytest.mark.equation("eq-posterior-mean", oracle="Bayes' rule on a grid")
@pytest.mark.equation("eq-posterior-variance", oracle="Bayes' rule on a grid")
@pytest.mark.parametrize("schedule", [LINEAR, COSINE])
@pytest.mark.parametrize("t", [2, 3, 50, 99, 100])
def test_posterior_is_bayes_rule_on_a_grid(schedule, t):
    # q(x_s | x_t, x_0) is q(x_t | x_s) q(x_s | x_0) over their integral.
    zero = torch.zeros(1, dtype=torch.float64)
    x_0, x_t = zero + 0.8, zero - 0.5
    x_s = torch.linspace(-12, 12, 400_001, dtype=torch.float64)
    shrunk = q_step(x_s, t, torch.zeros_like(x_s), schedule)
    log_joint = log_normal(x_t, shrunk, schedule.beta[t]) + log_normal(
        x_s, *q_mean_variance(x_0, t - 1, schedule)
    )
    density = (log_joint - log_joint.max()).exp()
    density = density / torch.trapezoid(density, x_s)
    mean = torch.trapezoid(x_s * density, x_s)
    variance = torch.trapezoid((x_s - mean).square() * density, x_s)
    got = posterior_mean(x_0, x_t, t, schedule)[0]
    torch.testing.assert_close(got, mean, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(
        posterior_variance(t, schedule), variance, rtol=1e-6, atol=0
    )


def test_first_step_back_ends_at_x_0():
    x_0, x_t = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(posterior_mean(x_0, x_t, 1, COSINE), x_0)
    assert float(posterior_variance(1, COSINE)) == 0.0


@pytest.mark.equation("eq-square", oracle="both sides at 1,000 places")
@pytest.mark.equation("eq-precision", oracle="both sides at 1,000 places")
@pytest.mark.parametrize("t", [2, 50, 100])
def test_the_square_is_complete(t, generator):
    # The sum of two squares is one square and something without x_s.
    x_0, x_t = torch.randn(2, 1, generator=generator, dtype=torch.float64)
    x_s = torch.linspace(-5, 5, 1000, dtype=torch.float64)
    alpha, beta = LINEAR.alpha[t], LINEAR.beta[t]
    alpha_bar_s = LINEAR.alpha_bar[t - 1]
    two = (x_t - alpha.sqrt() * x_s).square() / beta
    two = two + (x_s - alpha_bar_s.sqrt() * x_0).square() / (1 - alpha_bar_s)
    mean = posterior_mean(x_0, x_t, t, LINEAR)
    one = (x_s - mean).square() / posterior_variance(t, LINEAR)
    rest = two - one
    torch.testing.assert_close(rest, rest[:1].expand(1000))


def noise_over_its_variance(right, x_t, t, eps, schedule):
    _, s = schedule.coefficients(t, like=x_t)
    return right(x_t, t, eps / s, schedule)


@mutant(
    "3: the noise over its variance",
    posterior_mean_from_eps,
    noise_over_its_variance,
)
@pytest.mark.equation("eq-posterior-mean-eps", oracle="the mean of both ends")
@pytest.mark.parametrize("schedule", [LINEAR, COSINE])
def test_mean_is_x_t_with_some_noise_taken_off(schedule, generator):
    x_0, x_t = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    t = torch.tensor([1, 2, 50, 99, 100])
    eps = eps_from_x_0(x_t, t, x_0, schedule)
    got = posterior_mean_from_eps(x_t, t, eps, schedule)
    expected = posterior_mean(x_0, x_t, t, schedule)
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.equation("eq-reverse-mean", oracle="the exact reverse mixture")
@pytest.mark.parametrize("t", [1, 2, 20, 99])
def test_the_mean_noise_gives_the_mean_of_the_exact_reverse_step(t):
    mixture = two_modes()
    x_t = torch.tensor([[0.3]], dtype=torch.float64)
    eps = mixture.optimal_eps(x_t, t, COSINE)
    got = posterior_mean_from_eps(x_t, t, eps, COSINE)[0]
    expected = mixture.reverse(x_t[0], t, COSINE).mean
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


def beta_tilde(x_0_variance, t, schedule):
    return posterior_variance(t, schedule) + 0 * x_0_variance


def with_a_weight_not_squared(right, x_0_variance, t, schedule):
    tilde = posterior_variance(t, schedule)
    extra = right(1.0, t, schedule) - tilde
    return tilde + extra.sqrt() * x_0_variance


@mutant(
    "22: beta-tilde for the true reverse variance",
    reverse_variance,
    beta_tilde,
)
@mutant(
    "the reverse variance with a weight not squared",
    reverse_variance,
    with_a_weight_not_squared,
)
@pytest.mark.equation("eq-total-variance", oracle="the exact reverse mixture")
@pytest.mark.parametrize("t", [1, 2, 20, 99])
def test_reverse_variance_is_that_of_the_exact_reverse_step(t):
    mixture = two_modes()
    x_t = torch.tensor([[0.3]], dtype=torch.float64)
    alpha_bar = COSINE.alpha_bar[t]
    # x_0 is x_t less the noise, so its variance is the noise's, rescaled
    x_0_variance = (
        (1 - alpha_bar) / alpha_bar * mixture.eps_variance(x_t, t, COSINE)
    )
    got = reverse_variance(x_0_variance, t, COSINE)
    expected = mixture.reverse(x_t[0], t, COSINE).covariance[0]
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=0)


def test_reverse_variance_of_a_point_and_of_pure_noise():
    t = torch.arange(1, 101)
    point = reverse_variance(0.0, t, LINEAR)
    torch.testing.assert_close(point, posterior_variance(t, LINEAR))
    noise = reverse_variance(1 - LINEAR.alpha_bar[t], t, LINEAR)
    torch.testing.assert_close(noise, forward_variance(t, LINEAR))


@mutant(
    "5: alpha_bar_t on x_t, the whole chain", posterior_mean, with_alpha_bar
)
def test_a_unit_gaussian_stays_one_going_back(generator):
    # On the way from x_T to a known x_0, every x_t has variance one.
    n = 100_000
    x_0 = torch.randn(n, generator=generator, dtype=torch.float64)
    eps = torch.randn(n, generator=generator, dtype=torch.float64)
    mean, variance = q_mean_variance(x_0, 100, LINEAR)
    x_t = mean + variance.sqrt() * eps
    for t in range(100, 1, -1):
        z = torch.randn(n, generator=generator, dtype=torch.float64)
        x_t = posterior_mean(x_0, x_t, t, LINEAR)
        x_t = x_t + posterior_variance(t, LINEAR).sqrt() * z
        assert float(x_t.std()) == pytest.approx(1, abs=0.02)


def test_variance_lies_below_beta_and_close_to_it_late():
    t = torch.arange(1, 101)
    tilde, beta = posterior_variance(t, LINEAR), forward_variance(t, LINEAR)
    assert tilde.shape == beta.shape == (100,)
    assert torch.equal(beta, LINEAR.beta[1:])
    assert (tilde < beta).all()
    assert float(tilde[-1] / beta[-1]) == pytest.approx(1, abs=1e-3)
    assert float(tilde[1] / beta[1]) < 0.5


def test_one_t_for_each_row(generator):
    x_0, x_t = torch.randn(2, 3, 1, 8, 8, generator=generator)
    t = torch.tensor([1, 100, 7])
    together = posterior_mean(x_0, x_t, t, COSINE)
    for i in range(3):
        row = slice(i, i + 1)
        alone = posterior_mean(x_0[row], x_t[row], int(t[i]), COSINE)
        torch.testing.assert_close(together[row], alone)


def test_bad_input_is_named():
    x = torch.ones(2, 3)
    with pytest.raises(ValueError, match="x_0 and x_t must have one shape"):
        posterior_mean(x, torch.ones(3, 2), 1, COSINE)
    with pytest.raises(ValueError, match="x_t must be a float tensor"):
        posterior_mean(x, x.long(), 1, COSINE)
    with pytest.raises(ValueError, match="x_t and eps must have one shape"):
        posterior_mean_from_eps(x, 1, torch.ones(3, 2), COSINE)
    for variance in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match="x_0_variance must be 0 or more"):
            reverse_variance(variance, 1, COSINE)
    for t in (0, -1, 101, 1.5):
        for call in (
            lambda t=t: posterior_mean(x, x, t, COSINE),
            lambda t=t: posterior_mean_from_eps(x, t, x, COSINE),
            lambda t=t: posterior_variance(t, COSINE),
            lambda t=t: reverse_variance(1.0, t, COSINE),
            lambda t=t: forward_variance(t, COSINE),
        ):
            with pytest.raises(ValueError, match="t must be"):
                call()
