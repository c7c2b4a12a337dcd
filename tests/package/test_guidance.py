"""Guidance, with exact denoisers: what it is told, and where it leads."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch

from diffusion_lite import guidance
from diffusion_lite.arguments import normal
from diffusion_lite.data import two_moons
from diffusion_lite.guidance import (
    classifier_guided,
    corrected_sample,
    drop_labels,
    guided,
    guided_gaussian,
    langevin_step,
    tilted_log_density,
)
from diffusion_lite.metrics import energy_distance
from diffusion_lite.mixtures import GaussianMixture, together
from diffusion_lite.posterior import (
    posterior_mean_from_eps,
    posterior_variance,
)
from diffusion_lite.sampling import ddpm_sample
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from diffusion_lite.solvers import ddim_step, heun_sample, uniform_times
from diffusion_lite.training import last
from mutants import mutant

SCHEDULE = cosine_schedule(100)
MOONS = two_moons()
BOTH = together(*MOONS)
T = torch.tensor([1, 40, 70, 100])


def draw(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return normal(shape, generator, torch.float64)


def exact(mixture, schedule=SCHEDULE):
    return partial(mixture.optimal_eps, schedule=schedule)


def gaussian(mean, variance):
    return GaussianMixture(
        torch.ones(1), torch.tensor([[mean]]), torch.tensor([[[variance]]])
    )


# ---- two denoisers ----------------------------------------------------------


@pytest.mark.equation("eq-guided", oracle="the score of the tilted density")
@mutant(
    "24 w counted from the class",
    guided,
    lambda right, *args: right(*args[:2], args[2] + 1),
)
@mutant(
    "the wrong way",
    guided,
    lambda right, *args: right(args[1], args[0], args[2]),
)
@pytest.mark.parametrize("w", [0.0, 1.0, 3.0, -1.0])
def test_a_guided_answer_is_the_score_of_the_tilted_law(w):
    x = draw(0, 4, 2)
    for t in T.tolist():
        wanted, every = (
            mixture.noised(t, SCHEDULE) for mixture in (MOONS[0], BOTH)
        )
        y = x.clone().requires_grad_()
        told = tilted_log_density(y, wanted, every, w).sum()
        (score,) = torch.autograd.grad(told, y)
        noise = (1 - SCHEDULE.alpha_bar[t]).sqrt()
        answer = guided(exact(MOONS[0]), exact(BOTH), w)
        got = answer(x, torch.full((4,), t))
        torch.testing.assert_close(got, -noise * score)


def test_weights_0_and_1_are_the_two_denoisers():
    x = draw(1, 4, 2)
    wanted, other = exact(MOONS[0]), exact(BOTH)
    assert torch.equal(guided(wanted, other, 0.0)(x, T), other(x, T))
    assert torch.equal(guided(wanted, other, 1.0)(x, T), wanted(x, T))


def test_outside_an_interval_one_pass_is_enough():
    asked = []

    def other(x_t, t):
        asked.append(t.tolist())
        return exact(BOTH)(x_t, t)

    x = draw(2, 4, 2)
    wanted = exact(MOONS[0])
    eps_model = guided(wanted, other, 4.0, interval=(40, 70))
    for t in (39, 71):
        steps = torch.full((4,), t)
        assert torch.equal(eps_model(x, steps), wanted(x, steps))
    assert asked == []
    whole = guided(wanted, other, 4.0)(x, T)
    part = eps_model(x, T)
    assert torch.equal(part[1:3], whole[1:3])
    assert torch.equal(part[::3], wanted(x, T)[::3])


@pytest.mark.equation("eq-bayes-score", oracle="Bayes' rule, exactly")
@pytest.mark.equation("eq-classifier-guided", oracle="Bayes' rule, exactly")
@mutant(
    "no root of the noise",
    guidance.at,
    lambda right, table, t, x: 1 - right(table, t, x).square(),
)
@pytest.mark.parametrize("w", [1.0, 2.5])
def test_the_true_classifier_guides_as_two_denoisers_do(w):
    def log_prob(x_t, t):
        rows = []
        for x, step in zip(x_t, t.tolist(), strict=True):
            parts = [m.noised(step, SCHEDULE).log_prob(x[None]) for m in MOONS]
            rows.append(torch.stack(parts).log_softmax(0)[0])
        return torch.cat(rows)

    x = draw(3, 4, 2)
    eps_model = classifier_guided(exact(BOTH), log_prob, w, SCHEDULE)
    want = guided(exact(MOONS[0]), exact(BOTH), w)
    torch.testing.assert_close(eps_model(x, T), want(x, T))


def test_labels_are_dropped_as_often_as_asked():
    y = torch.arange(10).repeat(2000)
    generator = torch.Generator().manual_seed(0)
    got = drop_labels(y, 10, 0.2, generator=generator)
    assert 0.19 < float((got == 10).double().mean()) < 0.21
    kept = got != 10
    assert torch.equal(got[kept], y[kept])
    assert torch.equal(drop_labels(y, 10, 0.0, generator=generator), y)
    assert bool((drop_labels(y, 10, 1.0, generator=generator) == 10).all())


# ---- where it leads ---------------------------------------------------------


@pytest.mark.equation("eq-tilted", oracle="Bayes' rule on a grid")
@mutant(
    "w on the wrong factor",
    tilted_log_density,
    lambda right, x, wanted, every, w: right(x, wanted, every, 1 - w),
)
def test_the_tilted_law_is_p_times_a_power_of_the_class_s_share():
    line = torch.linspace(-4, 4, 81, dtype=torch.float64)
    x = torch.cartesian_prod(line, line)
    shares = torch.stack([m.log_prob(x) for m in MOONS]).softmax(0)[0]
    want = BOTH.log_prob(x).exp() * (2 * shares) ** 3
    got = tilted_log_density(x, MOONS[0], BOTH, 3.0).exp()
    torch.testing.assert_close(got, want)


@pytest.mark.equation("eq-gaussian-tilted", oracle="quadrature")
@pytest.mark.parametrize("w", [0.0, 0.5, 1.0, 3.0, 7.0])
def test_the_tilted_gaussian(w):
    x = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    wanted, every = gaussian(1.0, 1.0), gaussian(0.0, 2.0)
    density = tilted_log_density(x[:, None], wanted, every, w).exp()
    density = density / torch.trapezoid(density, x)
    mean = float(torch.trapezoid(x * density, x))
    variance = float(torch.trapezoid((x - mean) ** 2 * density, x))
    assert guided_gaussian(w)["tilted"] == pytest.approx((mean, variance))


def moments(w, sampler, steps=4000):
    """Follow mean and variance by the sampler's own steps, all linear.

    So the answers at 0 and at 1 say all; they are had for all t at once.
    """
    schedule = linear_schedule(steps)
    parts = gaussian(1.0, 1.0), gaussian(0.0, 2.0)
    eps_model = guided(*(exact(each, schedule) for each in parts), w)
    t = torch.arange(1, steps + 1).repeat_interleave(2)
    points = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    answers = eps_model(points.repeat(steps, 1), t).reshape(steps, 2, 1)
    mean, variance = 0.0, 1.0
    for t in range(steps, 0, -1):
        fresh = 0.0
        if sampler == "DDPM":
            ends = posterior_mean_from_eps(points, t, answers[t - 1], schedule)
            fresh = float(posterior_variance(t, schedule))
        else:
            zero = torch.zeros_like(points)
            ends = ddim_step(points, t, t - 1, answers[t - 1], zero, schedule)
        at_0, at_1 = ends.flatten().tolist()
        mean = at_0 + (at_1 - at_0) * mean
        variance = (at_1 - at_0) ** 2 * variance + fresh
    return mean, variance


@pytest.mark.equation(
    "eq-gaussian-guided", oracle="the samplers' own steps, 4,000 of them"
)
@mutant(
    "the tilted law for both",
    guided_gaussian,
    lambda right, w: dict.fromkeys(right(w), right(w)["tilted"]),
)
@pytest.mark.parametrize("w", [0.5, 1.0, 2.0, 3.0, 5.0])
@pytest.mark.parametrize("sampler", ["DDPM", "ODE"])
def test_guided_samplers_of_a_gaussian(sampler, w):
    got = moments(w, sampler)
    assert guided_gaussian(w)[sampler] == pytest.approx(got, rel=0.01)


@pytest.mark.equation("eq-guided-moments", oracle="the closed forms")
@pytest.mark.parametrize("w", [0.5, 1.0, 3.0])
def test_the_equations_of_the_moments_lead_to_them(w):
    """The midpoint rule from sigma = 200 to 0, equally spaced in asinh."""
    end = math.asinh(200.0)
    sigmas = [math.sinh(end * i / 4000) for i in range(4000, -1, -1)]
    mean, deviation = 0.0, sigmas[0]  # at the start all is noise

    def slopes(sigma, mean, deviation):
        own, every = w / (1 + sigma**2), (1 - w) / (2 + sigma**2)
        return (
            sigma * (own * (mean - 1) + every * mean),
            sigma * (own + every) * deviation,
        )

    for a, b in pairwise(sigmas):
        m, d = slopes(a, mean, deviation)
        half = (b - a) / 2
        m, d = slopes((a + b) / 2, mean + half * m, deviation + half * d)
        mean, deviation = mean + (b - a) * m, deviation + (b - a) * d
    law = guided_gaussian(w)["ODE"]
    assert mean == pytest.approx(law.mean, rel=0.01)
    assert deviation**2 == pytest.approx(law.variance, rel=0.01)


def test_known_values_of_the_gaussian():
    """REFERENCES: the ODE's mean is 1 at w = 1 and 2 at w = 3 (ReCFG)."""
    at_3 = guided_gaussian(3.0)
    assert at_3["ODE"] == pytest.approx((2, 1 / 4), abs=1e-6)
    assert at_3["DDPM"] == pytest.approx((7 / 4, 31 / 80))
    assert at_3["tilted"] == pytest.approx((3 / 2, 1 / 2))
    for each in guided_gaussian(1.0).values():
        assert each == pytest.approx((1, 1))
    for each in guided_gaussian(0.0).values():
        assert each == pytest.approx((0, 2), abs=1e-6)


@pytest.mark.equation("eq-langevin", oracle="a Gaussian that must stay")
@mutant(
    "the noise without its 2",
    langevin_step,
    lambda right, *args: right(*args[:3], args[3] / 2**0.5, *args[4:]),
)
@mutant(
    "down the density",
    langevin_step,
    lambda right, eps_model, *args: right(
        lambda x, t: -eps_model(x, t), *args
    ),
)
def test_langevin_steps_find_the_law_of_their_score():
    t, mixture = 60, gaussian(0.5, 0.2)
    x = 3 + draw(4, 4000, 1)
    for i in range(300):
        z = draw(100 + i, 4000, 1)
        x = langevin_step(exact(mixture), x, t, z, SCHEDULE, 0.05)
    law = mixture.noised(t, SCHEDULE)
    assert float(x.mean()) == pytest.approx(float(law.mean), abs=0.06)
    want = float(law.covariance)
    assert float(x.var()) == pytest.approx(want, rel=0.1)


def tilted_sample(w, n, seed):
    generator = torch.Generator().manual_seed(seed)
    line = torch.linspace(-3, 3, 301, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    density = tilted_log_density(grid, MOONS[0], BOTH, w).exp()
    rows = torch.multinomial(density, n, True, generator=generator)
    return grid[rows]


@pytest.mark.slow
def test_only_the_corrector_reaches_the_tilted_law():
    w, n = 4.0, 500
    generator = torch.Generator().manual_seed(0)
    eps_model = guided(exact(MOONS[0]), exact(BOTH), w)
    x_T = draw(5, n, 2)
    times = uniform_times(SCHEDULE, 100)
    found = {
        "ODE": heun_sample(eps_model, x_T, SCHEDULE, times),
        "DDPM": ddpm_sample(eps_model, x_T, SCHEDULE, generator=generator),
        "corrected": corrected_sample(
            eps_model, x_T, SCHEDULE, corrections=20, generator=generator
        ),
    }
    law = tilted_sample(w, n, 0)
    far = {
        name: float(energy_distance(last(states), law))
        for name, states in found.items()
    }
    assert far["ODE"] > 0.3
    assert 0.15 < far["DDPM"] < 0.8 * far["ODE"]
    assert far["corrected"] < 0.08


def test_without_corrections_it_is_ddpm():
    eps_model = guided(exact(MOONS[0]), exact(BOTH), 2.0)
    seeds = [torch.Generator().manual_seed(6) for _ in range(2)]
    x_T = draw(6, 5, 2)
    run = corrected_sample(
        eps_model, x_T, SCHEDULE, corrections=0, generator=seeds[0]
    )
    states = list(run)
    want = list(ddpm_sample(eps_model, x_T, SCHEDULE, generator=seeds[1]))
    assert len(states) == len(want) == SCHEDULE.T + 1
    assert all(map(torch.equal, states, want))


# ---- the moons --------------------------------------------------------------


def test_the_moons_are_each_other_turned_round():
    upper, lower = MOONS
    x = draw(7, 20, 2)
    torch.testing.assert_close(upper.log_prob(x), lower.log_prob(-x))
    power = BOTH.covariance.trace() + BOTH.mean.square().sum()
    assert float(power) / 2 == pytest.approx(1)
    torch.testing.assert_close(
        BOTH.log_prob(x),
        torch.stack([upper.log_prob(x), lower.log_prob(x)]).logsumexp(0)
        - math.log(2),
    )


# ---- what is refused --------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: guided(exact(BOTH), exact(BOTH), math.nan),
            "guidance_weight must be a number",
        ),
        (
            lambda: guided(exact(BOTH), exact(BOTH), 2, interval=(70, 40)),
            "interval must not fall",
        ),
        (
            lambda: guided(exact(BOTH), exact(BOTH), 2, interval=(0.5, 4)),
            "interval's start must be a whole number",
        ),
        (
            lambda: guided(exact(BOTH), lambda x, t: x[:1], 2)(
                draw(0, 4, 2), T
            ),
            "must have one shape",
        ),
        (
            lambda: drop_labels(
                torch.tensor([10]), 10, 0.1, generator=torch.Generator()
            ),
            "y must be an integer tensor",
        ),
        (
            lambda: drop_labels(
                torch.tensor([1]), 10, 1.1, generator=torch.Generator()
            ),
            "chance must be in 0..1",
        ),
        (lambda: guided_gaussian(-1.0), "guidance_weight must be a number"),
        (
            lambda: list(
                corrected_sample(
                    exact(BOTH),
                    draw(0, 4, 2),
                    SCHEDULE,
                    corrections=-1,
                    generator=torch.Generator(),
                )
            ),
            "corrections must be a whole number",
        ),
        (
            lambda: together(gaussian(0.0, 1.0), BOTH),
            "parts must have one number of dimensions",
        ),
        (together, "number of parts must be"),
        (lambda: two_moons(0.0), "std must be a number"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
