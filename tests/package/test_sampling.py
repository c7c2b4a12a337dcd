"""Sampling, with exact denoisers: where must the chain end?"""

import itertools
import math

import pytest
import torch

from diffusion_lite.arguments import at
from diffusion_lite.data import two_modes
from diffusion_lite.metrics import mode_weights
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.parameterization import x_0_from_eps
from diffusion_lite.posterior import (
    forward_variance,
    posterior_mean,
    posterior_mean_from_eps,
    posterior_variance,
)
from diffusion_lite.sampling import clamp_x_0, ddpm_sample, ddpm_step
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from diffusion_lite.training import last
from mutants import mutant

SCHEDULE = linear_schedule(100)


def gaussian(mean, variance):
    return GaussianMixture(
        torch.ones(1), torch.tensor([[mean]]), torch.tensor([[[variance]]])
    )


def exact(mixture, schedule):
    return lambda x_t, t: mixture.optimal_eps(x_t, t, schedule)


def noise(n, generator, dim=1):
    return torch.randn(n, dim, generator=generator, dtype=torch.float64)


def recursion(mixture, schedule, variance, start):
    """Return mean and variance of x_0 when the denoiser is exact.

    On a Gaussian each step is a x_t + b + noise: follow the two moments.
    Written with Bayes' rule: precisions add, and x_0 is guessed.
    """
    mu, c = float(mixture.means), float(mixture.covariances)
    m, v = start
    for t in range(schedule.T, 0, -1):
        alpha_bar, alpha_bar_s = schedule.alpha_bar[[t, t - 1]].tolist()
        beta = float(schedule.beta[t])
        # x_0_hat = mu + gain (x_t - sqrt(alpha_bar) mu)
        gain = math.sqrt(alpha_bar) * c / (alpha_bar * c + 1 - alpha_bar)
        of_0, of_t = 1.0, 0.0  # at t = 1 the mean is x_0_hat
        if t > 1:
            precision_0, precision_t = 1 / (1 - alpha_bar_s), (1 - beta) / beta
            tilde = 1 / (precision_0 + precision_t)
            of_0 = tilde * precision_0 * math.sqrt(alpha_bar_s)
            of_t = tilde * precision_t / math.sqrt(1 - beta)
        a = of_0 * gain + of_t
        b = of_0 * mu * (1 - gain * math.sqrt(alpha_bar))
        m, v = a * m + b, a * a * v
        if t > 1:
            v += float(variance(t, schedule))
    return m, v


def mean_with_alpha_bar(right, x_t, t, eps, schedule):
    a, _ = schedule.coefficients(t, like=x_t)
    too_large = at(schedule.alpha.sqrt(), t, x_t) / a
    return too_large * right(x_t, t, eps, schedule)


def step_with_variance_as_std(right, *args):
    *args, variance = args
    return right(*args, lambda t, schedule: variance(t, schedule) ** 2)


@mutant(
    "5: alpha_bar_t below x_t", posterior_mean_from_eps, mean_with_alpha_bar
)
@mutant(
    "3: a step's variance as its standard deviation",
    ddpm_step,
    step_with_variance_as_std,
)
@pytest.mark.equation("eq-model", oracle="the moments' own recursion")
@pytest.mark.parametrize("variance", [posterior_variance, forward_variance])
@pytest.mark.parametrize("c", [0.05, 1.0, 3.0])
def test_the_chain_ends_where_its_own_recursion_says(variance, c, generator):
    # At finite T a perfect denoiser does not return the data's variance.
    mixture, n = gaussian(0.5, c), 40_000
    x_T = noise(n, generator)
    states = ddpm_sample(
        exact(mixture, SCHEDULE),
        x_T,
        SCHEDULE,
        generator=generator,
        variance=variance,
    )
    x_0 = last(states)
    mean, v = recursion(mixture, SCHEDULE, variance, (0.0, 1.0))
    assert abs(float(x_0.mean()) - mean) < 4 * math.sqrt(v / n)
    assert abs(float(x_0.var()) - v) < 4 * v * math.sqrt(2 / n)


def test_beta_is_right_for_unit_gaussians_and_tilde_for_points():
    # ERRORS 22: neither is the true reverse variance.
    unit, point = gaussian(0.0, 1.0), gaussian(0.0, 1e-8)
    ends = {
        (mixture, variance): recursion(
            mixture, SCHEDULE, variance, (0.0, 1.0)
        )[1]
        for mixture, variance in itertools.product(
            (unit, point), (forward_variance, posterior_variance)
        )
    }
    assert ends[unit, forward_variance] == pytest.approx(1, abs=3e-3)
    assert ends[unit, posterior_variance] < 0.99
    assert ends[point, posterior_variance] < 1e-6
    assert ends[point, forward_variance] < 1e-6  # the last step forgets


def test_it_yields_every_state_from_noise_to_data(generator):
    x_T = noise(3, generator)
    mixture = gaussian(0.0, 1.0)
    states = list(
        ddpm_sample(
            exact(mixture, SCHEDULE), x_T, SCHEDULE, generator=generator
        )
    )
    assert len(states) == SCHEDULE.T + 1
    assert states[0] is x_T
    assert all(x.shape == x_T.shape for x in states)


def test_the_same_seed_gives_the_same_bits(generator):
    x_T = noise(3, generator)
    draws = [
        last(
            ddpm_sample(
                exact(two_modes(), SCHEDULE),
                x_T,
                SCHEDULE,
                generator=torch.Generator().manual_seed(seed),
            )
        )
        for seed in (5, 5, 6)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_mode_weights_survive_the_walk(generator):
    mixture, schedule, n = two_modes(), cosine_schedule(200), 20_000
    x_0 = last(
        ddpm_sample(
            exact(mixture, schedule),
            noise(n, generator),
            schedule,
            generator=generator,
        )
    )
    share = float((x_0 > 0.4).double().mean())
    expected = float(
        (mixture.sample(400_000, generator=generator) > 0.4).double().mean()
    )
    assert abs(share - expected) < 0.015


def step_with_noise_at_the_end(
    right, eps_model, x_t, t, z, schedule, variance
):
    mean = right(eps_model, x_t, t, 0 * z, schedule, variance)
    return mean + schedule.beta[t].sqrt() * z


@mutant("7: noise at the last step", ddpm_step, step_with_noise_at_the_end)
@pytest.mark.parametrize("variance", [posterior_variance, forward_variance])
def test_the_last_step_adds_no_noise(variance, generator):
    # ERRORS 7
    x_1, z = noise(4, generator), noise(4, generator)
    model = exact(two_modes(), SCHEDULE)
    still = ddpm_step(model, x_1, 1, 0 * z, SCHEDULE, variance)
    assert torch.equal(ddpm_step(model, x_1, 1, z, SCHEDULE, variance), still)
    moved = ddpm_step(model, x_1, 2, z, SCHEDULE, variance)
    assert not torch.equal(
        moved, ddpm_step(model, x_1, 2, 0 * z, SCHEDULE, variance)
    )


@pytest.mark.equation(
    "eq-ddpm-step", oracle="the posterior of the guessed x_0"
)
@pytest.mark.parametrize("t", [2, 40, SCHEDULE.T])
def test_a_step_is_the_posterior_of_the_guessed_x_0(t, generator):
    x_t, z = noise(5, generator), noise(5, generator)
    model = exact(two_modes(), SCHEDULE)
    x_0_hat = x_0_from_eps(x_t, t, model(x_t, t), SCHEDULE)
    mean = posterior_mean(x_0_hat, x_t, t, SCHEDULE)
    expected = mean + SCHEDULE.beta[t].sqrt() * z
    got = ddpm_step(model, x_t, t, z, SCHEDULE, forward_variance)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-7)


def test_a_walk_may_start_in_the_middle(generator):
    # Noised to t and walked back from there, a distribution is itself again.
    mixture, schedule = two_modes(), linear_schedule(200)
    x_t = mixture.noised(60, schedule).sample(40_000, generator=generator)
    states = list(
        ddpm_sample(
            exact(mixture, schedule),
            x_t,
            schedule,
            generator=generator,
            variance=forward_variance,
            start=60,
        )
    )
    assert len(states) == 61
    assert states[0] is x_t
    shares = mode_weights(states[-1], mixture)
    torch.testing.assert_close(
        shares.double(), mixture.weights, rtol=0, atol=0.02
    )
    assert float(states[-1].std()) == pytest.approx(1, abs=0.03)
    nowhere = ddpm_sample(
        exact(mixture, schedule), x_t, schedule, generator=generator, start=0
    )
    assert [x is x_t for x in nowhere] == [True]
    for start in (-1, 201, 1.5):
        with pytest.raises(ValueError, match="t must be whole numbers from 0"):
            ddpm_sample(
                exact(mixture, schedule),
                x_t,
                schedule,
                generator=generator,
                start=start,
            )


def step_one_late(right, eps_model, *args):
    return right(lambda x_t, t: eps_model(x_t, t - 1), *args)


@mutant("6: the network is asked one step late", ddpm_step, step_one_late)
def test_the_model_is_asked_at_t_T_down_to_1(generator):
    asked = []

    def model(x_t, t):
        assert t.shape == (2,)
        assert not torch.is_grad_enabled()
        asked.append(int(t[0]))
        return x_t

    for _ in ddpm_sample(
        model, noise(2, generator), SCHEDULE, generator=generator
    ):
        assert torch.is_grad_enabled()  # no_grad stays inside
    assert asked == list(range(100, 0, -1))


@mutant(
    "31: clamping to [-1, 1] whatever the data",
    clamp_x_0,
    lambda right, model, schedule, low, high: right(model, schedule, -1, 1),
)
def test_clamped_denoisers_keep_x_0_in_range(generator):
    x_t = 3 * noise(50, generator)
    t = torch.full((50,), 90)
    wild = clamp_x_0(lambda x, t: -x, SCHEDULE, -1, 1)
    alpha_bar = SCHEDULE.alpha_bar[90]
    eps_hat = wild(x_t, t)
    x_0_hat = (x_t - (1 - alpha_bar).sqrt() * eps_hat) / alpha_bar.sqrt()
    assert float(x_0_hat.abs().max()) <= 1 + 1e-9
    # and a denoiser that was right already is left as it is
    tame = clamp_x_0(exact(two_modes(), SCHEDULE), SCHEDULE, -50, 50)
    for early in (90, 10):  # at 10, x_0_hat is beyond 1
        t = torch.full((50,), early)
        torch.testing.assert_close(
            tame(x_t, t), exact(two_modes(), SCHEDULE)(x_t, t)
        )


def test_bad_input_is_named(generator):
    with pytest.raises(ValueError, match="x_T must be finite"):
        ddpm_sample(
            lambda x, t: x,
            torch.tensor([math.nan]),
            SCHEDULE,
            generator=generator,
        )
    with pytest.raises(ValueError, match="x_t and eps must have one shape"):
        last(
            ddpm_sample(
                lambda x, t: x[:, :1],
                torch.ones(2, 2),
                SCHEDULE,
                generator=generator,
            )
        )
    with pytest.raises(ValueError, match="low must be below high"):
        clamp_x_0(lambda x, t: x, SCHEDULE, 1, 1)
