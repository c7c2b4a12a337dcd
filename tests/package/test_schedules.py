"""Schedules against their definitions, and against published tables."""

import math
import warnings

import numpy as np
import pytest
import torch

from diffusion_lite.forward import q_sample
from diffusion_lite.schedules import (
    Schedule,
    cosine_schedule,
    linear_schedule,
)
from mutants import mutant


def quiet(beta):
    """Build a schedule that leaves much of the data, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Schedule.from_betas(torch.tensor(beta))


def test_entry_0_is_clean_data():
    schedule = linear_schedule()
    assert schedule.T == 1000
    for table in ("beta", "alpha", "alpha_bar", "snr"):
        assert getattr(schedule, table).shape == (1001,)
        assert getattr(schedule, table).dtype == torch.float64
    assert schedule.beta[0] == 0
    assert schedule.alpha[0] == schedule.alpha_bar[0] == 1
    assert schedule.snr[0] == math.inf


@mutant(
    "4: the product from 0",
    (Schedule, "alpha_bar"),
    lambda self: torch.cat([self.alpha[1:], self.alpha[-1:]]).cumprod(0),
)
@mutant(
    "4: the product up to T",
    (Schedule, "alpha_bar"),
    lambda self: self.alpha.prod().expand(self.T + 1),
)
@mutant(
    "6: the product one step late",
    (Schedule, "alpha_bar"),
    lambda self: torch.cat([self.alpha[:1], self.alpha[:-1].cumprod(0)]),
)
@pytest.mark.equation("eq-alpha-bar", oracle="the product in a plain loop")
def test_alpha_bar_is_the_product_up_to_t():
    schedule = linear_schedule()
    product = 1.0
    for t in range(1, 1001):
        product *= 1.0 - float(schedule.beta[t])
        assert float(schedule.alpha_bar[t]) == pytest.approx(product, 1e-12)


@mutant(
    "the ratio of roots for the SNR",
    (Schedule, "snr"),
    lambda self: (self.alpha_bar / (1 - self.alpha_bar)).sqrt(),
)
@pytest.mark.equation("eq-snr", oracle="measured power of signal and noise")
def test_snr_is_power_over_power(generator):
    schedule = cosine_schedule(100)
    x_0 = torch.randn(400_000, generator=generator)
    eps = torch.randn(400_000, generator=generator)
    for t in (10, 50, 90):
        signal = q_sample(x_0, t, torch.zeros_like(eps), schedule)
        noise = q_sample(torch.zeros_like(x_0), t, eps, schedule)
        measured = signal.square().mean() / noise.square().mean()
        assert float(schedule.snr[t]) == pytest.approx(float(measured), 0.01)


@pytest.mark.equation("eq-linear-schedule", oracle="published constants")
def test_linear_schedule_is_the_ddpm_papers():
    schedule = linear_schedule()
    assert float(schedule.beta[1]) == pytest.approx(1e-4, 1e-9)
    assert float(schedule.beta[1000]) == pytest.approx(0.02, 1e-9)
    steps = schedule.beta[1:].diff()
    torch.testing.assert_close(steps, steps[:1].expand(999), rtol=1e-9, atol=0)
    # Section 4 of the paper: L_T is about 1e-5 bits per dimension.
    assert 1e-5 < schedule.prior_bits < 1e-4
    assert float(schedule.alpha_bar[-1]) == pytest.approx(4.04e-5, 1e-2)


def betas_kept(T=1000, beta_1=1e-4, beta_T=0.02):
    return quiet(torch.linspace(beta_1, beta_T, T).tolist())


@mutant("16: the betas of 1000 steps for fewer", linear_schedule, betas_kept)
@pytest.mark.equation("eq-respaced-beta", oracle="every step's own product")
@pytest.mark.parametrize("T", [10, 50, 100, 250])
def test_linear_schedule_of_fewer_steps_skips(T):
    thousand, fewer = linear_schedule(), linear_schedule(T)
    torch.testing.assert_close(
        fewer.alpha_bar, thousand.alpha_bar[:: 1000 // T], rtol=1e-9, atol=0
    )


@pytest.mark.parametrize("T", [7, 333, 1500, 4000])
def test_linear_schedule_of_any_length_keeps_the_total_noise(T):
    schedule = linear_schedule(T)
    assert schedule.T == T
    torch.testing.assert_close(
        schedule.alpha_bar[-1], linear_schedule().alpha_bar[-1]
    )
    # Between the thousand steps alpha_bar still falls, and convexly so.
    assert (schedule.alpha_bar.diff() < 0).all()
    middle = float(schedule.alpha_bar[T // 2])
    u = T // 2 / T
    mean_beta = 1e-4 + u / 2 * (0.02 - 1e-4)
    integral = 1000 * u * mean_beta
    assert middle == pytest.approx(math.exp(-integral), 0.02)


def test_the_cap_makes_the_cosines_end_depend_on_T():
    # alpha_bar_T is a thousandth of alpha_bar_{T-1}, about 0.0024 / T^2.
    expected = 1e-3 * (math.pi / 2 / 1.008) ** 2
    for T in (10, 100, 1000):
        end = float(cosine_schedule(T).alpha_bar[-1])
        assert end * T**2 == pytest.approx(expected, rel=0.01)


def without_the_square(T=1000, s=0.008, beta_max=0.999):
    u = torch.arange(T + 1).double() / T
    f = ((u + s) / (1 + s) * torch.pi / 2).cos()
    return Schedule.from_betas((1 - f[1:] / f[:-1]).clamp(max=beta_max))


@mutant(
    "14: a cosine schedule without the square",
    cosine_schedule,
    without_the_square,
)
@pytest.mark.equation("eq-cosine-schedule", oracle="trigonometric identity")
def test_cosine_schedule_is_the_papers():
    schedule = cosine_schedule(1000)
    for t in (1, 250, 500, 900):
        # cos^2 a = (1 + cos 2a) / 2, at both ends of the ratio
        angle = math.pi * (t / 1000 + 0.008) / 1.008
        start = math.pi * 0.008 / 1.008
        expected = (1 + math.cos(angle)) / (1 + math.cos(start))
        assert float(schedule.alpha_bar[t]) == pytest.approx(expected, 1e-9)
    assert float(schedule.beta.max()) == 0.999
    assert float(cosine_schedule(100, beta_max=0.5).beta.max()) == 0.5


def test_cosine_offset_slows_the_start():
    without, with_s = cosine_schedule(1000, s=0), cosine_schedule(1000)
    assert with_s.beta[1] > 10 * without.beta[1]


@pytest.mark.equation("eq-prior-bits", oracle="Monte Carlo, 400,000 draws")
def test_prior_bits_against_monte_carlo(generator):
    schedule = quiet([0.3, 0.4])
    x_0 = torch.randn(400_000, generator=generator, dtype=torch.float64)
    eps = torch.randn(400_000, generator=generator, dtype=torch.float64)
    x_T = q_sample(x_0, 2, eps, schedule)
    noise = 1 - schedule.alpha_bar[2]
    log_q = -(eps.square() + noise.log()) / 2
    bits = (log_q + x_T.square() / 2) / math.log(2)
    error = float(bits.std()) / 400_000**0.5
    assert abs(schedule.prior_bits - float(bits.mean())) < 4 * error


def test_schedule_says_how_much_is_left():
    text = repr(linear_schedule())
    assert text.startswith("Schedule(T=1000, alpha_bar_T=4e-05, snr_T=4e-05")
    assert text.endswith("prior=2.9e-05 bits/dim)")


def test_schedule_warns_when_x_T_is_not_noise():
    with pytest.warns(UserWarning, match="x_T is not noise yet"):
        schedule = Schedule.from_betas(torch.full((100,), 0.01))
    assert float(schedule.alpha_bar[-1]) > 0.3
    with pytest.warns(UserWarning, match="alpha_bar_T=0.6"):
        linear_schedule(T=1000, beta_1=1e-4, beta_T=9e-4)


def test_schedule_does_not_warn_at_the_threshold():
    Schedule.from_betas(torch.tensor([1 - 0.9995e-3], dtype=torch.float64))
    with pytest.warns(UserWarning, match="alpha_bar_T is above 0.001"):
        Schedule.from_betas(torch.tensor([1 - 1.0005e-3], dtype=torch.float64))


@pytest.mark.parametrize(
    "wrong", [0.0, 1.0, -0.1, 1.5, math.nan, math.inf, 1e-20]
)
def test_beta_outside_0_1_is_named(wrong):
    message = f"strictly between 0 and 1, got beta_2 = {wrong:g}"
    with pytest.raises(ValueError, match=message):
        Schedule.from_betas(torch.tensor([0.5, wrong, 0.5]))


@pytest.mark.parametrize("beta", [0.5, [], [[0.5, 0.5]]])
def test_beta_of_wrong_shape_is_named(beta):
    with pytest.raises(
        ValueError, match=r"beta must be one row of numbers, got shape"
    ):
        Schedule.from_betas(torch.tensor(beta))


def test_a_schedule_comes_back_from_its_own_tables():
    schedule = cosine_schedule(50)
    for again in (
        Schedule(schedule.beta),
        Schedule.from_betas(schedule.beta[1:]),
        Schedule.from_alpha_bar(schedule.alpha_bar),
    ):
        torch.testing.assert_close(
            again.alpha_bar, schedule.alpha_bar, rtol=1e-12, atol=0
        )


def test_the_two_forms_of_beta_are_told_apart():
    schedule = cosine_schedule(50)
    with pytest.raises(ValueError, match=r"beta_0: leave that entry out"):
        Schedule.from_betas(schedule.beta)
    with pytest.raises(ValueError, match=r"there is Schedule\.from_betas"):
        Schedule(schedule.beta[1:])


@pytest.mark.parametrize(
    ("alpha_bar", "said"),
    [
        ([0.9, 0.5], "start with alpha_bar_0 = 1, got 2, the first 0.9"),
        ([1.0], "must have T\\+1 entries"),
        ([1.0, 0.5, 0.6], "got 0.5 and then 0.6 at t = 2"),
        ([1.0, 0.5, 0.0], "stay above 0, got 0.5 and then 0 at t = 2"),
        ([1.0, math.nan], "got 1 and then nan at t = 1"),
        ([[1.0, 0.5]], "alpha_bar must be one row of numbers"),
    ],
)
def test_a_wrong_alpha_bar_is_named(alpha_bar, said):
    with pytest.raises(ValueError, match=said):
        Schedule.from_alpha_bar(torch.tensor(alpha_bar))


def test_coefficients_are_shaped_like_the_batch():
    schedule, x = cosine_schedule(10), torch.ones(3, 2, 5)
    a, s = schedule.coefficients(torch.tensor([0, 4, 10]), like=x)
    assert a.shape == s.shape == (3, 1, 1)
    assert a.dtype == torch.float32
    assert (float(a[0]), float(s[0])) == (1.0, 0.0)
    torch.testing.assert_close(a.square() + s.square(), torch.ones(3, 1, 1))
    assert schedule.coefficients(4, like=x)[0].shape == (1, 1, 1)
    with pytest.raises(ValueError, match="from 1 to 10"):
        schedule.coefficients(0, like=x, lowest=1)


def test_a_schedule_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="at least alpha_bar_T = 1e-60"):
        Schedule.from_betas(torch.full((400,), 0.9))


def test_schedule_is_frozen_and_keeps_its_own_copy():
    beta = torch.full((10,), 0.6, dtype=torch.float64)
    schedule = Schedule.from_betas(beta)
    beta[0] = 0.1
    assert schedule.beta[1] == 0.6
    again = Schedule(schedule.beta)
    schedule.beta[1] = 0.2
    assert again.beta[1] == 0.6
    with pytest.raises(AttributeError):
        schedule.beta = beta


def test_one_step_is_enough_and_a_thousand_the_default():
    assert linear_schedule(1).T == linear_schedule(np.int64(1)).T == 1
    assert linear_schedule().T == cosine_schedule().T == 1000


def test_any_float_tensor_will_do_and_the_tables_are_float64():
    beta = torch.full((10,), 0.6, requires_grad=True)
    schedule = Schedule.from_betas(beta)
    assert schedule.alpha_bar.dtype == torch.float64
    assert not schedule.alpha_bar.requires_grad
    assert isinstance(schedule.prior_bits, float)
    assert (
        len({schedule, Schedule.from_betas(beta)}) == 2
    )  # compared as objects


@pytest.mark.parametrize("make", [linear_schedule, cosine_schedule])
@pytest.mark.parametrize("T", [0, -1, 2.5, True, "10"])
def test_T_must_be_a_whole_number(make, T):
    with pytest.raises(ValueError, match="T must be a whole number"):
        make(T)


def test_named_schedules_check_their_own_arguments():
    with pytest.raises(ValueError, match=r"beta_T must be .* got 1"):
        linear_schedule(beta_T=1.0)
    with pytest.raises(ValueError, match=r"beta_1 must be .* got 0"):
        linear_schedule(T=100, beta_1=0.0)
    with pytest.raises(
        ValueError, match=r"s must be .* at least 0, got -0\.1"
    ):
        cosine_schedule(s=-0.1)
    for wrong in (0.0, 1.0):
        with pytest.raises(ValueError, match="beta_max must be a num"):
            cosine_schedule(beta_max=wrong)
