"""The forward process: the jump is the chain, and keeps variance one."""

import math

import pytest
import torch

from diffusion_lite.arguments import at
from diffusion_lite.data import digits, two_modes
from diffusion_lite.forward import (
    class_probs,
    q_mean_variance,
    q_sample,
    q_step,
)
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from mutants import mutant

LINEAR = linear_schedule(50)
COSINE = cosine_schedule(50)


def normal(shape, generator):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def step_with_beta(x_s, t, eps, schedule):
    keep = at(schedule.alpha.sqrt(), t, x_s)
    return keep * x_s + at(schedule.beta, t, x_s) * eps


@mutant("1: beta for its root", q_step, step_with_beta)
@mutant("4: alpha_bar in one step", q_step, q_sample)
@pytest.mark.equation("eq-q-step", oracle="measured mean and variance")
def test_q_step_has_the_mean_and_variance_of_one_step(generator):
    x_s = torch.full((200_000,), 3.0, dtype=torch.float64)
    for t in (1, 25, 50):
        x_t = q_step(x_s, t, normal(200_000, generator), LINEAR)
        beta = float(LINEAR.beta[t])
        error = math.sqrt(beta / 200_000)
        assert abs(x_t.mean() - math.sqrt(1 - beta) * 3) < 4 * error
        spread = beta * math.sqrt(2 / 200_000)
        assert abs(x_t.var() - beta) < 4 * spread


def step_that_does_not_shrink(x_s, t, eps, schedule):
    return x_s + at(schedule.beta.sqrt(), t, x_s) * eps


@mutant("1: no shrinking", q_step, step_that_does_not_shrink)
@pytest.mark.equation("eq-variance", oracle="measured variance, 50 steps")
def test_variance_one_stays_one(generator):
    x_t = two_modes().sample(200_000, generator=generator)[:, 0]
    for t in range(1, 51):
        x_t = q_step(x_t, t, normal(200_000, generator), LINEAR)
        assert float(x_t.var()) == pytest.approx(1, abs=0.02)


@pytest.mark.equation("eq-two-steps", oracle="two steps with unit inputs")
def test_two_steps_act_as_one():
    # The response to x_0 = 1, to eps_1 = 1 and to eps_2 = 1, each alone.
    zero, one = torch.zeros(1).double(), torch.ones(1).double()
    response = [
        float(q_step(q_step(x_0, 1, eps_1, COSINE), 2, eps_2, COSINE))
        for x_0, eps_1, eps_2 in (
            (one, zero, zero),
            (zero, one, zero),
            (zero, zero, one),
        )
    ]
    assert min(response) > 0
    product = float(COSINE.alpha[1]) * float(COSINE.alpha[2])
    assert response[0] ** 2 == pytest.approx(product, rel=1e-12)
    noise = response[1] ** 2 + response[2] ** 2
    assert noise == pytest.approx(1 - product, rel=1e-12)


def std_as_variance(x_0, t, schedule):
    a, s = schedule.coefficients(t, like=x_0)
    return a * x_0, s


@mutant(
    "3: a standard deviation as a variance", q_mean_variance, std_as_variance
)
@pytest.mark.equation("eq-q-jump", oracle="the chain, step by step")
@pytest.mark.parametrize("schedule", [LINEAR, COSINE])
def test_the_jump_is_the_chain(schedule):
    # A step is linear in (x_s, eps): follow the coefficient of x_0 and the
    # variance through the chain without any closed form.
    x_0 = torch.tensor([2.0, -1.0], dtype=torch.float64)
    mean, variance = x_0, torch.zeros(2, dtype=torch.float64)
    zero, one = torch.zeros_like(x_0), torch.ones_like(x_0)
    for t in range(1, 51):
        mean = q_step(mean, t, zero, schedule)
        shrink = q_step(one, t, zero, schedule)
        added = q_step(zero, t, one, schedule)
        variance = shrink**2 * variance + added**2
        jump_mean, jump_variance = q_mean_variance(x_0, t, schedule)
        torch.testing.assert_close(jump_mean, mean, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(
            jump_variance.expand(2), variance, rtol=1e-10, atol=1e-10
        )


def jump_with_uniform_noise(right, x_0, t, eps, schedule):
    uniform = torch.distributions.Normal(0, 1).cdf(eps)  # eps as rand() is
    return right(x_0, t, uniform, schedule)


def jump_with_variance(x_0, t, eps, schedule):
    a, s = schedule.coefficients(t, like=x_0)
    return a * x_0 + s**2 * eps


@mutant("2: uniform noise", q_sample, jump_with_uniform_noise)
@mutant("3: a variance as a standard deviation", q_sample, jump_with_variance)
@mutant("4: alpha for alpha_bar", q_sample, q_step)
@pytest.mark.equation("eq-q-sample", oracle="the chain, measured moments")
def test_the_jumps_samples_are_the_chains(generator):
    n, t = 200_000, 20
    x_0 = two_modes().sample(n, generator=generator)
    x_chain = x_0
    for s in range(1, t + 1):
        x_chain = q_step(x_chain, s, normal((n, 1), generator), COSINE)
    x_jump = q_sample(x_0, t, normal((n, 1), generator), COSINE)
    for power in (1, 2, 3, 4):
        chain, jump = x_chain**power, x_jump**power
        error = float(torch.sqrt((chain.var() + jump.var()) / n))
        assert abs(float(chain.mean() - jump.mean())) < 4 * error
    # and the jump keeps its x_0: the covariance with it is the chain's
    torch.testing.assert_close(
        (x_0 * x_chain).mean(), (x_0 * x_jump).mean(), rtol=0, atol=0.02
    )


def test_q_sample_at_0_is_the_data(generator):
    x_0, eps = normal((4, 3), generator), normal((4, 3), generator)
    assert torch.equal(q_sample(x_0, 0, eps, LINEAR), x_0)
    mean, variance = q_mean_variance(x_0, 0, LINEAR)
    assert torch.equal(mean, x_0)
    assert torch.equal(variance, torch.zeros(1, 1, dtype=torch.float64))


def test_one_t_for_each_row(generator):
    x_0, eps = normal((3, 1, 8, 8), generator), normal((3, 1, 8, 8), generator)
    t = torch.tensor([1, 50, 7])
    together = q_sample(x_0, t, eps, LINEAR)
    stepped = q_step(x_0, t, eps, LINEAR)
    _, variance = q_mean_variance(x_0, t, LINEAR)
    assert variance.shape == (3, 1, 1, 1)
    for i in range(3):
        row = slice(i, i + 1)
        alone = q_sample(x_0[row], int(t[i]), eps[row], LINEAR)
        assert torch.equal(together[row], alone)
        alone = q_step(x_0[row], int(t[i]), eps[row], LINEAR)
        assert torch.equal(stepped[row], alone)


def test_float32_keeps_float64_coefficients(generator):
    # 1 - alpha_bar_1 is 1e-4 here: in float32 it would be off by 3e-4.
    schedule = linear_schedule()
    eps = torch.ones(1)
    x_t = q_sample(torch.zeros(1), 1, eps, schedule)
    assert x_t.dtype == torch.float32
    assert float(x_t) == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize("function", [q_step, q_sample])
def test_bad_input_is_named(function):
    x = torch.ones(2, 3)
    with pytest.raises(ValueError, match="must have one shape"):
        function(x, 1, torch.ones(3, 2), LINEAR)
    with pytest.raises(ValueError, match="eps must be a float tensor"):
        function(x, 1, x.long(), LINEAR)
    for t in (-1, 51, 1.0):
        with pytest.raises(ValueError, match="t must be"):
            function(x, t, x, LINEAR)
    with pytest.raises(ValueError, match="at least one example"):
        function(x[:0], 1, x[:0], LINEAR)


def test_q_step_has_no_step_0():
    with pytest.raises(ValueError, match="from 1 to 50"):
        q_step(torch.ones(2), 0, torch.ones(2), LINEAR)
    with pytest.raises(ValueError, match="x_0 must be a batch"):
        q_mean_variance(torch.tensor(1.0), 1, LINEAR)


def without_shrinking(right, x_t, t, data, labels, schedule):
    a, _ = schedule.coefficients(t, like=data)
    return right(x_t, t, data / a, labels, schedule)


@mutant(
    "class probabilities without shrinking", class_probs, without_shrinking
)
@pytest.mark.equation("eq-class-probs", oracle="simulation: 400,000 noisings")
def test_class_probs_are_calibrated(generator):
    # Noise a tiny data set very often. Among the noisy points near one
    # place, the share that came from class 1 is what Bayes' rule says.
    data = torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 1])
    i = torch.randint(3, (400_000,), generator=generator)
    x_t = q_sample(data[i], 15, normal((400_000, 1), generator), COSINE)
    for place in (-1.0, -0.3, 0.2):
        near = (x_t[:, 0] - place).abs() < 0.02
        share = (labels[i][near] == 1).double()
        error = float(share.std() / len(share) ** 0.5)
        x = torch.tensor([[place]], dtype=torch.float64)
        p = class_probs(x, 15, data, labels, COSINE)
        assert p.shape == (1, 2)
        assert abs(float(p[0, 1] - share.mean())) < 4 * error + 0.01


def test_class_probs_of_plain_numbers_and_mixed_precision():
    data, labels = torch.tensor([-1.0, 1.0]), torch.tensor([0, 1])
    for x_t in (data, data.double()):
        p = class_probs(x_t, 1, data, labels, COSINE)
        torch.testing.assert_close(p, torch.eye(2, dtype=x_t.dtype))


def test_class_probs_know_all_at_first_and_nothing_at_the_end():
    data = digits()
    images, labels = data.train_images, data.train_labels
    eps = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    x_1 = q_sample(images, 1, eps, COSINE)
    p = class_probs(x_1, 1, images, labels, COSINE)
    torch.testing.assert_close(p.sum(1), torch.ones(len(p)))
    assert float((p.argmax(1) == labels).double().mean()) == 1.0
    p = class_probs(eps, 50, images, labels, COSINE)
    share = labels.bincount() / len(labels)
    torch.testing.assert_close(p, share.expand_as(p), atol=0.02, rtol=0)


def test_class_probs_bad_input():
    data, labels = torch.ones(3, 2), torch.tensor([0, 1, 1])
    with pytest.raises(ValueError, match="x_t must be"):
        class_probs(torch.ones(1, 3), 1, data, labels, COSINE)
    with pytest.raises(ValueError, match=r"labels must be an integer tensor"):
        class_probs(data, 1, data, labels[:2], COSINE)
    with pytest.raises(ValueError, match=r"got torch\.float32 of shape"):
        class_probs(data, 1, data, labels.float(), COSINE)
    with pytest.raises(ValueError, match="got -1 to 0"):
        class_probs(data, 1, data, labels - 1, COSINE)
    with pytest.raises(ValueError, match="t must be a single number"):
        class_probs(data, labels + 1, data, labels, COSINE)
    with pytest.raises(ValueError, match="x_t must be finite"):
        class_probs(data * math.nan, 1, data, labels, COSINE)
    with pytest.raises(ValueError, match="t must be whole numbers from 1"):
        class_probs(data, 0, data, labels, COSINE)
