"""Four names of one thing: round trips, limits, and the score."""

import pytest
import torch

from diffusion_lite.data import two_modes
from diffusion_lite.forward import q_sample
from diffusion_lite.parameterization import (
    eps_from_v,
    eps_from_x_0,
    score_from_eps,
    v_from_x_0_eps,
    x_0_from_eps,
    x_0_from_v,
)
from diffusion_lite.schedules import linear_schedule
from mutants import mutant, negated

SCHEDULE = linear_schedule(100)
T = torch.tensor([1, 2, 50, 99, 100])


def normal(generator):
    return torch.randn(5, 3, generator=generator, dtype=torch.float64)


def triple():
    """Return x_0, eps and their x_t at five different t."""
    generator = torch.Generator().manual_seed(0)
    x_0, eps = normal(generator), normal(generator)
    return x_0, eps, q_sample(x_0, T, eps, SCHEDULE)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.equation("eq-x-0-from-eps", oracle="the jump, undone")
def test_eps_and_x_0_undo_the_jump():
    x_0, eps, x_t = triple()
    close(x_0_from_eps(x_t, T, eps, SCHEDULE), x_0)
    close(eps_from_x_0(x_t, T, x_0, SCHEDULE), eps)


@mutant("8: the sign of v", v_from_x_0_eps, negated)
@pytest.mark.equation("eq-x-0-eps-from-v", oracle="there and back again")
def test_v_goes_there_and_back():
    x_0, eps, x_t = triple()
    v = v_from_x_0_eps(x_0, T, eps, SCHEDULE)
    close(x_0_from_v(x_t, T, v, SCHEDULE), x_0)
    close(eps_from_v(x_t, T, v, SCHEDULE), eps)


@pytest.mark.equation("eq-v", oracle="a derivative by differences")
def test_v_is_the_derivative_of_x_t_along_the_circle():
    # x_t = cos(angle) x_0 + sin(angle) eps: v is its derivative.
    x_0, eps, x_t = triple()
    angle = SCHEDULE.alpha_bar[T].sqrt().acos()[:, None]
    small = 1e-6
    ahead = (angle + small).cos() * x_0 + (angle + small).sin() * eps
    v = v_from_x_0_eps(x_0, T, eps, SCHEDULE)
    torch.testing.assert_close((ahead - x_t) / small, v, rtol=1e-4, atol=1e-4)


def test_edms_preconditioning_is_v_up_to_the_sign():
    # Chapter 4: x_0 = c_skip x + c_out F, for data of variance 1. With F of
    # variance 1, c_out^2 is the variance of x_0 - c_skip x.
    x_0, eps, x_t = triple()
    alpha_bar = SCHEDULE.alpha_bar[T]
    noise = (1 - alpha_bar) / alpha_bar
    grid = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    c_out_2, at = (
        (1 - grid) ** 2 + grid**2 * noise[:, None]  # of x_0, of the noise
    ).min(1)
    torch.testing.assert_close(grid[at], 1 / (1 + noise), rtol=0, atol=1e-5)
    torch.testing.assert_close(c_out_2, 1 - alpha_bar, rtol=1e-6, atol=0)
    c_skip, c_out = (1 / (1 + noise))[:, None], (1 - alpha_bar).sqrt()[:, None]
    x = x_t / alpha_bar.sqrt()[:, None]
    close(c_skip * x, alpha_bar.sqrt()[:, None] * x_t)
    target = (x_0 - c_skip * x) / c_out
    close(target, -v_from_x_0_eps(x_0, T, eps, SCHEDULE))


def test_v_ends_are_noise_and_minus_data():
    x_0, eps, _ = triple()
    assert torch.equal(v_from_x_0_eps(x_0, 0, eps, SCHEDULE), eps)
    v_T = v_from_x_0_eps(x_0, 100, eps, SCHEDULE)
    torch.testing.assert_close(v_T, -x_0, rtol=0, atol=0.03)


def over_the_variance(eps, t, schedule):
    _, s = schedule.coefficients(t, like=eps)
    return -eps / s**2


@mutant("8: the sign of the score", score_from_eps, negated)
@mutant("3: the score over the variance", score_from_eps, over_the_variance)
@pytest.mark.equation("eq-score-given-x-0", oracle="autograd of log q")
def test_score_is_autograd_of_log_q():
    x_0, eps, x_t = triple()
    x_t = x_t.clone().requires_grad_()
    alpha_bar = SCHEDULE.alpha_bar[T][:, None]
    q = torch.distributions.Normal(
        alpha_bar.sqrt() * x_0, (1 - alpha_bar).sqrt()
    )
    (score,) = torch.autograd.grad(q.log_prob(x_t).sum(), x_t)
    close(score_from_eps(eps, T, SCHEDULE), score)


@pytest.mark.equation("eq-score-average", oracle="autograd of log q(x_t)")
@pytest.mark.parametrize("t", [1, 30, 100])
def test_the_mean_of_the_scores_is_the_score(t):
    # E[score of q(x_t | x_0) | x_t], by quadrature over x_0
    mixture = two_modes()
    x_0 = torch.linspace(-6, 6, 20_001, dtype=torch.float64)[:, None]
    for place in (-1.0, 0.2, 1.5):
        x_t = torch.full((1, 1), place).double().requires_grad_()
        eps = eps_from_x_0(x_t.detach().expand(20_001, 1), t, x_0, SCHEDULE)
        log_joint = mixture.log_prob(x_0) - eps[:, 0].square() / 2
        weight = log_joint.softmax(0)
        mean = weight @ score_from_eps(eps, t, SCHEDULE)[:, 0]
        log_q = mixture.noised(t, SCHEDULE).log_prob(x_t)
        (score,) = torch.autograd.grad(log_q.sum(), x_t)
        torch.testing.assert_close(mean, score[0, 0], rtol=1e-6, atol=1e-6)


@pytest.mark.equation("eq-dsm", oracle="scores by autograd")
def test_an_error_of_the_score_is_one_of_the_noise(generator):
    x_0, eps, x_t = triple()
    eps_hat = normal(generator)
    x_t = x_t.clone().requires_grad_()
    alpha_bar = SCHEDULE.alpha_bar[T][:, None]
    q = torch.distributions.Normal(
        alpha_bar.sqrt() * x_0, (1 - alpha_bar).sqrt()
    )
    (score,) = torch.autograd.grad(q.log_prob(x_t).sum(), x_t)
    close(
        (score_from_eps(eps_hat, T, SCHEDULE) - score).square(),
        (eps_hat - eps).square() / (1 - alpha_bar),
    )


def test_nothing_to_undo_at_0():
    x_0, eps, _ = triple()
    assert torch.equal(x_0_from_eps(x_0, 0, eps, SCHEDULE), x_0)
    v = v_from_x_0_eps(x_0, 0, eps, SCHEDULE)
    assert torch.equal(x_0_from_v(x_0, 0, v, SCHEDULE), x_0)
    assert torch.equal(eps_from_v(x_0, 0, v, SCHEDULE), eps)


def test_eps_and_score_do_not_exist_at_0():
    x_0, eps, _ = triple()
    for call in (
        lambda: eps_from_x_0(x_0, 0, x_0, SCHEDULE),
        lambda: score_from_eps(eps, 0, SCHEDULE),
    ):
        with pytest.raises(ValueError, match="whole numbers from 1 to 100"):
            call()


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (x_0_from_eps, "eps"),
        (eps_from_x_0, "x_0"),
        (x_0_from_v, "v"),
        (eps_from_v, "v"),
    ],
)
def test_bad_input_is_named(function, name):
    x_t = torch.ones(2, 3)
    with pytest.raises(ValueError, match=f"x_t and {name} must have one"):
        function(x_t, 1, torch.ones(2, 4), SCHEDULE)
    with pytest.raises(ValueError, match=f"{name} must be a float tensor"):
        function(x_t, 1, x_t.long(), SCHEDULE)
    for t in (-1, 101, 1.0, torch.tensor([1, 2, 3])):
        with pytest.raises(ValueError, match="t must be"):
            function(x_t, t, x_t, SCHEDULE)


def test_bad_input_of_v_and_score():
    with pytest.raises(ValueError, match="x_0 and eps must have one"):
        v_from_x_0_eps(torch.ones(2), 1, torch.ones(3), SCHEDULE)
    with pytest.raises(ValueError, match="eps must be a batch"):
        score_from_eps(torch.tensor(1.0), 1, SCHEDULE)
