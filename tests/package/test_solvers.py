"""Solvers, with exact denoisers: where do they end, and how near?"""

import math
from functools import cache, partial
from itertools import pairwise

import numpy as np
import pytest
import torch

from diffusion_lite.arguments import normal
from diffusion_lite.data import eight_modes, two_modes
from diffusion_lite.forward import q_sample
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.networks import MLP, VPrediction
from diffusion_lite.parameterization import x_0_from_eps
from diffusion_lite.sampling import ddpm_step
from diffusion_lite.schedules import (
    Schedule,
    cosine_schedule,
    linear_schedule,
)
from diffusion_lite.score import linear_path, reverse
from diffusion_lite.solvers import (
    Counted,
    adams_bashforth_sample,
    churned,
    ddim_noise,
    ddim_sample,
    ddim_step,
    dpm_solver_sample,
    edm_times,
    euler_step,
    exact_flow,
    heun_sample,
    invert,
    log_snr_times,
    midpoint_sample,
    step_weights,
    uniform_times,
)
from diffusion_lite.training import last
from mutants import mutant

LINEAR, COSINE = linear_schedule(100), cosine_schedule(100)
GRIDS = [uniform_times, log_snr_times, edm_times]
SOLVERS = {
    "ddim": ddim_sample,
    "heun": heun_sample,
    "midpoint": midpoint_sample,
    "adams-bashforth": adams_bashforth_sample,
    "dpm-solver": dpm_solver_sample,
}
every_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
every_grid = pytest.mark.parametrize("grid", GRIDS)
LEAPS = [(1, 0), (2, 1), (40, 39), (60, 20), (100, 99), (100, 1), (100, 0)]


def draw(generator, *shape):
    return normal(shape, generator, torch.float64)


def gaussian(mean, variance):
    return GaussianMixture(
        torch.ones(1), torch.tensor([[mean]]), torch.tensor([[[variance]]])
    )


def exact(mixture, schedule):
    return partial(mixture.optimal_eps, schedule=schedule)


def levels(schedule):
    """Return a and sigma of the steps, as arrays."""
    alpha_bar = schedule.alpha_bar.numpy()
    return alpha_bar**0.5, (1 / alpha_bar - 1) ** 0.5


# ---- DDIM: what a step keeps ------------------------------------------------


def by_bayes(t, s, schedule):
    """Return the weights of x_0 and x_t, and the std, of q(x_s | x_t, x_0).

    On a grid of x_s: the jump to s times the leap from s to t.
    """
    keeps = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    a_s, s_s = schedule.alpha_bar[s].sqrt(), (1 - schedule.alpha_bar[s]).sqrt()
    x_s = torch.linspace(-12, 12, 40_001, dtype=torch.float64)

    def moments(x_0, x_t):
        log_p = -(((x_s - a_s * x_0) / s_s) ** 2) / 2
        log_p = log_p - (x_t - keeps.sqrt() * x_s) ** 2 / 2 / (1 - keeps)
        p = log_p.softmax(0)
        mean = p @ x_s
        return float(mean), float(p @ (x_s - mean) ** 2) ** 0.5

    (of_0, std), (of_t, _) = moments(1.0, 0.0), moments(0.0, 1.0)
    return of_0, of_t, std


def made_of(t, s, schedule, eta):
    """Return how much of x_0, eps and z a step puts into x_s."""
    one, none = (torch.full((1, 1), v, dtype=torch.float64) for v in (1, 0))
    parts = (one, none, none), (none, one, none), (none, none, one)
    return [
        float(
            ddim_step(
                q_sample(x_0, t, eps, schedule), t, s, eps, z, schedule, eta
            )
        )
        for x_0, eps, z in parts
    ]


def stepped(direction, fresh):
    """Return a wrong ddim_step: direction and fresh noise of (rest, w)."""

    def wrong(x_t, t, s, eps_hat, z, schedule, eta=0.0):
        w = ddim_noise(t, s, schedule, eta)
        a_s = float(schedule.alpha_bar[s])
        x_0_hat = x_0_from_eps(x_t, t, eps_hat, schedule)
        eps = direction(1 - a_s, w) * eps_hat + fresh(1 - a_s, w) * z
        return a_s**0.5 * x_0_hat + eps

    return wrong


def noise_of(formula):
    """Return a wrong ddim_noise: from eta, beta-tilde and both variances."""

    def wrong(t, s, schedule, eta):
        alpha_bar = schedule.alpha_bar
        v_t, v_s = float(1 - alpha_bar[t]), float(1 - alpha_bar[s])
        leap = float(1 - alpha_bar[t] / alpha_bar[s])
        return formula(eta, v_t, v_s, leap)

    return wrong


def the_noise(rest, w):
    return w


def all_the_rest(rest, w):
    return rest**0.5


def std_taken_off(rest, w):
    return max(rest - w, 0) ** 0.5


def what_is_left(rest, w):
    return max(rest - w**2, 0) ** 0.5


def squared(rest, w):
    return w**2


@mutant(
    "10: sigma as the direction's factor",
    ddim_step,
    stepped(the_noise, the_noise),
)
@mutant(
    "10: the fresh noise on top", ddim_step, stepped(all_the_rest, the_noise)
)
@mutant(
    "10: the std taken off, not the variance",
    ddim_step,
    stepped(std_taken_off, the_noise),
)
@mutant(
    "3: the variance as the std", ddim_step, stepped(what_is_left, squared)
)
@pytest.mark.equation("eq-ddim-step", oracle="the jump's two factors")
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("schedule", [LINEAR, COSINE])
def test_a_step_keeps_the_marginals(schedule, eta):
    a, sigma = levels(schedule)
    for t, s in LEAPS:
        of_0, of_eps, of_z = made_of(t, s, schedule, eta)
        assert of_0 == pytest.approx(a[s], abs=1e-9)
        assert math.hypot(of_eps, of_z) == pytest.approx(
            a[s] * sigma[s], abs=1e-9
        )
        assert of_z == pytest.approx(
            ddim_noise(t, s, schedule, eta), abs=1e-12
        )


@mutant(
    "11: eta times the variance",
    ddim_noise,
    noise_of(lambda eta, v_t, v_s, leap: (eta * v_s / v_t * leap) ** 0.5),
)
@mutant(
    "3: the posterior's variance as its std",
    ddim_noise,
    noise_of(lambda eta, v_t, v_s, leap: eta * v_s / v_t * leap),
)
@mutant(
    "5: the leap alone, beta and not beta-tilde",
    ddim_noise,
    noise_of(lambda eta, v_t, v_s, leap: eta * leap**0.5),
)
@mutant(
    "10: s and t exchanged",
    ddim_noise,
    noise_of(
        lambda eta, v_t, v_s, leap: (
            eta * min(v_t / v_s * leap, v_s) ** 0.5 if v_s else 0.0
        )
    ),
)
@pytest.mark.equation("eq-ddim-noise", oracle="Bayes' rule on a grid")
@pytest.mark.equation("eq-ddim-step", oracle="Bayes' rule on a grid")
def test_with_eta_1_a_step_is_a_sample_of_the_posterior():
    for t, s in [(40, 39), (60, 20), (100, 30)]:
        of_0, of_t, std = by_bayes(t, s, LINEAR)
        for eta in (0.25, 1.0):
            assert ddim_noise(t, s, LINEAR, eta) == pytest.approx(
                eta * std, rel=1e-6
            )
        a_t, s_t = LINEAR.coefficients(t, like=torch.ones(1, 1))
        got = made_of(t, s, LINEAR, 1.0)
        want = of_0 + of_t * float(a_t), of_t * float(s_t), std
        assert got == pytest.approx(want, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("schedule", [LINEAR, COSINE])
def test_with_eta_1_single_steps_are_those_of_ddpm(schedule, generator):
    model = exact(two_modes(), schedule)
    x, z = draw(generator, 2, 5, 1)
    for t in (1, 2, 50, 100):
        eps_hat = model(x, torch.full((5,), t))
        got = ddim_step(x, t, t - 1, eps_hat, z, schedule, eta=1.0)
        want = ddpm_step(model, x, t, z, schedule)
        torch.testing.assert_close(got, want, rtol=1e-7, atol=1e-9)


def moments_of(mixture, schedule, times, eta):
    """Return mean and variance at each of the times, from N(0, 1) on.

    The guess of x_0 is a line in x_t, by least squares; the guess of eps is
    what it leaves.
    """
    mu, c = float(mixture.means), float(mixture.covariances)
    a, sigma = levels(schedule)
    m, v, found = 0.0, 1.0, []
    for t, s in pairwise(times):
        total = c + sigma[t] ** 2  # of x_t / a_t
        of_x = a[s] * c / total / a[t]  # x_0_hat's share of x_s, and eps's
        shrunk = (1 - a[s] ** 2) * (1 - eta**2 * ratio(a, t, s))
        of_x += shrunk**0.5 * sigma[t] / total / a[t]
        rest = a[s] * sigma[t] ** 2 - shrunk**0.5 * sigma[t]
        fresh = eta**2 * (1 - a[s] ** 2) * ratio(a, t, s)
        m, v = of_x * m + rest / total * mu, of_x**2 * v + fresh
        found.append((m, v))
    return found


def ratio(a, t, s):
    """Return posterior variance over that of the jump to s."""
    return (1 - (a[t] / a[s]) ** 2) / (1 - a[t] ** 2)


@mutant(
    "10: sigma as the direction's factor, on a Gaussian",
    ddim_step,
    stepped(the_noise, the_noise),
)
@mutant(
    "10: the fresh noise on top, on a Gaussian",
    ddim_step,
    stepped(all_the_rest, the_noise),
)
@pytest.mark.equation("eq-ddim-step", oracle="the moments' own recursion")
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_has_the_moments_of_its_recursion(eta, generator):
    n, mixture = 40_000, gaussian(0.7, 0.3)
    for grid in (uniform_times, log_snr_times):
        times = grid(LINEAR, 10)
        run = ddim_sample(
            exact(mixture, LINEAR),
            draw(generator, n, 1),
            LINEAR,
            times,
            eta=eta,
            generator=generator,
        )
        want = moments_of(mixture, LINEAR, times, eta)
        for x, (mean, v) in list(zip(run, [(0, 1), *want], strict=True)):
            assert abs(float(x.mean()) - mean) < 4 * math.sqrt(v / n)
            assert abs(float(x.var()) - v) < 4 * v * math.sqrt(2 / n)


@mutant(
    "11: eta times the variance, in the limit",
    ddim_noise,
    noise_of(lambda eta, v_t, v_s, leap: (eta * v_s / v_t * leap) ** 0.5),
)
@pytest.mark.equation("eq-ddim-noise", oracle="the churn c of chapter 9")
@pytest.mark.parametrize("eta", [0.5, 0.0, 1.0])
def test_for_many_steps_eta_is_the_churn(eta):
    # Without its noise a step leads to the mean; so does the SDE's drift.
    path, mixture = linear_path(), gaussian(0.5, 0.3)

    def score(x, t):
        a, s = path.at(t)
        return (a * 0.5 - x) / (a**2 * 0.3 + s**2)

    drift = reverse(score, path, eta)
    t = torch.linspace(1, 0.1, 101, dtype=torch.float64)
    x = torch.tensor([[1.0], [-0.5]], dtype=torch.float64)
    want = x
    for now, then in pairwise(t.tolist()):  # by the method of the midpoint
        half = want + (then - now) / 2 * drift(want, now)[0]
        want = want + (then - now) * drift(half, (now + then) / 2)[0]
    schedule, got = linear_schedule(1000), x
    for t in range(1000, 100, -1):
        eps_hat = mixture.optimal_eps(got, t, schedule)
        got = ddim_step(got, t, t - 1, eps_hat, 0 * got, schedule, eta)
    torch.testing.assert_close(got, want, rtol=0, atol=5e-3)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_end_nears_the_data_as_steps_grow_more(eta):
    # Twice the steps, half the error: eta does not matter to the marginals.
    errors = []
    for n in (500, 1000, 2000):
        log_snr = torch.linspace(15, -15, n, dtype=torch.float64)
        alpha_bar = torch.cat([log_snr.new_ones(1), log_snr.sigmoid()])
        schedule = Schedule.from_alpha_bar(alpha_bar)
        times = range(n, -1, -1)
        mean, v = moments_of(gaussian(0.7, 0.3), schedule, times, eta)[-1]
        errors.append(abs(v - 0.3))
        assert abs(mean - 0.7) < 0.01
    for fewer, more in pairwise(errors):
        assert fewer / more == pytest.approx(2, abs=0.1)


# ---- the ODE, and where it ends ---------------------------------------------


def unscaled(x_t, t, s, slope, schedule):
    """Forget that x_t is a times y: VE's step on a VP state."""
    _, sigma = levels(schedule)
    return x_t + float(sigma[s] - sigma[t]) * slope


def by_variance(x_t, t, s, slope, schedule):
    a, sigma = levels(schedule)
    return a[s] * (x_t / a[t] + (sigma[s] ** 2 - sigma[t] ** 2) * slope)


def away(right, x_t, t, s, slope, schedule):
    return right(x_t, t, s, -slope, schedule)


@mutant("the state not scaled", euler_step, unscaled)
@mutant("3: sigma squared for sigma", euler_step, by_variance)
@mutant("8: the slope with the wrong sign", euler_step, away)
@pytest.mark.equation("eq-ddim-ode", oracle="the step that keeps marginals")
@pytest.mark.parametrize("schedule", [LINEAR, COSINE])
def test_ddim_without_noise_is_a_straight_line(schedule, generator):
    x, eps_hat = draw(generator, 2, 5, 2)
    for t, s in LEAPS:
        got = euler_step(x, t, s, eps_hat, schedule)
        want = ddim_step(x, t, s, eps_hat, 0 * x, schedule)
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-8)
        if s:
            there = euler_step(got, s, t, eps_hat, schedule)
            torch.testing.assert_close(there, x, rtol=1e-6, atol=1e-8)


def quantile_map(mixture, x_T, schedule):
    """Return F_0^-1(F_T(x)) on a line, by bisection."""

    def below(x, t):
        q_t = mixture.noised(t, schedule)
        left = (x.T - q_t.means) / q_t.covariances[:, 0].sqrt()
        return q_t.weights @ torch.special.ndtr(left)

    share = below(x_T, schedule.T)
    low, high = torch.full_like(x_T, -9), torch.full_like(x_T, 9)
    for _ in range(60):
        middle = (low + high) / 2
        left = (below(middle, 0) < share)[:, None]
        low, high = (
            torch.where(left, middle, low),
            torch.where(left, high, middle),
        )
    return low


X_LINE = torch.linspace(-2.5, 2.5, 21, dtype=torch.float64)[:, None]


@mutant("the state not scaled, on a line", euler_step, unscaled)
@pytest.mark.equation("eq-ddim-ode", oracle="the map of quantiles")
@pytest.mark.parametrize("make", [linear_schedule, cosine_schedule])
def test_the_ode_is_the_map_of_quantiles(make):
    schedule, mixture = make(1000), two_modes()
    want = quantile_map(mixture, X_LINE, schedule)
    x = X_LINE
    for t in range(1000, 0, -1):
        eps_hat = mixture.optimal_eps(x, t, schedule)
        x = euler_step(x, t, t - 1, eps_hat, schedule)
    assert float((x - want).abs().max()) < 0.02


@pytest.mark.parametrize("make", [linear_schedule, cosine_schedule])
def test_the_exact_flow_is_the_map_of_quantiles(make):
    for T in (10, 1000):
        schedule = make(T)
        got = exact_flow(two_modes(), X_LINE, schedule)
        want = quantile_map(two_modes(), X_LINE, schedule)
        torch.testing.assert_close(got, want, rtol=0, atol=1e-6)


STD = 0.3
RING = eight_modes(STD)


def ring_eps(y, sigma):
    """Return E[eps | y], with y = x_0 + sigma eps."""
    total = STD**2 + sigma**2
    square = torch.cdist(y, RING.means) ** 2
    share = (RING.weights.log() - square / 2 / total).softmax(1)
    return sigma / total * (y - share @ RING.means)


@cache
def start_and_end(log_snr=-9.0, n=400):
    """Return points of noise, and where the flow leads them on the ring.

    By the method of Runge and Kutta, in u with sigma = 0.2 sinh u.
    """
    sigma = math.exp(-log_snr / 2)
    x_T = draw(torch.Generator().manual_seed(0), 32, 2)
    y, h = x_T * math.hypot(1, sigma), -math.asinh(sigma / 0.2) / n

    def slope(y, u):
        return ring_eps(y, 0.2 * math.sinh(u)) * 0.2 * math.cosh(u)

    for i in range(n):
        u = -h * (n - i)
        k_1 = slope(y, u)
        k_2 = slope(y + h / 2 * k_1, u + h / 2)
        k_3 = slope(y + h / 2 * k_2, u + h / 2)
        k_4 = slope(y + h * k_3, u + h)
        y = y + h / 6 * (k_1 + 2 * k_2 + 2 * k_3 + k_4)
    return x_T, y


def limping(n):
    """Return n + 1 times, steps long and short in turn, and their schedule.

    In log SNR, where every second one is twice as long. On a grid whose
    steps change slowly many a wrong solver keeps its order.
    """
    T = 3 * n // 2 + 1
    log_snr = torch.linspace(15, -9, T, dtype=torch.float64)
    alpha_bar = torch.cat([log_snr.new_ones(1), log_snr.sigmoid()])
    times = [t for t in range(T, 0, -1) if (T - t) % 3 != 1]
    return Schedule.from_alpha_bar(alpha_bar), [*times, 0]


def order(solver, steps=(192, 384), **options):
    """Return the slope of the error, against the steps, of a solver."""
    x_T, end = start_and_end()
    errors = []
    for n in steps:
        schedule, times = limping(n)
        assert len(times) == n + 2
        a, sigma = levels(schedule)

        def model(x, t, a=a, sigma=sigma):
            return ring_eps(x / a[t[0]], sigma[t[0]])

        run = solver(model, x_T, schedule, times, **options)
        errors.append(float((last(run) - end).square().mean().sqrt()))
    return -np.polyfit(np.log(steps), np.log(errors), 1)[0]


def test_two_ways_to_the_end_of_the_flow_agree():
    x_T, end = start_and_end()
    torch.testing.assert_close(start_and_end(n=800)[1], end, **CLOSE)
    schedule, _ = limping(64)
    torch.testing.assert_close(exact_flow(RING, x_T, schedule), end, **CLOSE)


CLOSE = {"rtol": 0, "atol": 1e-6}


# ---- a solver's order -------------------------------------------------------


def solved(step):
    """Return a wrong solver, of a step in y and sigma.

    step(eps, y, t, s, before) returns the new y; eps is asked at (y, t),
    before is a list of its own.
    """

    def wrong(eps_model, x_T, schedule, times, **_):
        a, sigma = levels(schedule)

        def eps(y, t):
            return eps_model(a[t] * y, torch.full((len(y),), t))

        y, before = x_T / a[times[0]], []
        yield x_T
        for t, s in pairwise(times):
            y = step(eps, y, t, s, sigma, before)
            yield a[s] * y

    return wrong


def heun_of(where=None, share=0.5):
    """Return a step of Heun's with its second slope asked elsewhere."""

    def step(eps, y, t, s, sigma, before):
        first, leap = eps(y, t), sigma[s] - sigma[t]
        if s == 0:
            return y + leap * first
        second = where(eps, y, y + leap * first, t, s, first)
        return y + leap * ((1 - share) * first + share * second)

    return solved(step)


@mutant(
    "Heun: the second slope at the wrong step",
    heun_sample,
    heun_of(lambda eps, y, there, t, s, first: eps(there, t)),
)
@mutant(
    "Heun: the second slope at the old point",
    heun_sample,
    heun_of(lambda eps, y, there, t, s, first: eps(y, s)),
)
@mutant(
    "Heun: the first slope twice",
    heun_sample,
    heun_of(lambda eps, y, there, t, s, first: first),
)
@mutant(
    "Heun: the second slope alone",
    heun_sample,
    heun_of(lambda eps, y, there, t, s, first: eps(there, s), share=1),
)
@pytest.mark.equation("eq-heun", oracle="Runge and Kutta's flow")
def test_heun_is_of_order_2():
    assert order(heun_sample) == pytest.approx(2, abs=0.1)


def test_ddim_is_of_order_1():
    assert order(ddim_sample) == pytest.approx(1, abs=0.1)


def middle_of(change):
    """Return a wrong midpoint solver: the slope, of both answers and r."""

    def wrong(eps_model, x_T, schedule, times):
        log_snr = schedule.snr.log()

        def step(eps, y, t, s, sigma, before):
            first = eps(y, t)
            if s == 0:
                return y + (sigma[s] - sigma[t]) * first
            way = (log_snr[s:t] - log_snr[t]) / (log_snr[s] - log_snr[t])
            nearest = int((way - 0.5).abs().argmin())
            middle, r = s + nearest, float(way[nearest])
            there = y + (sigma[middle] - sigma[t]) * first
            slope = change(first, eps(there, middle), r)
            return y + (sigma[s] - sigma[t]) * slope

        return solved(step)(eps_model, x_T, schedule, times)

    return wrong


@mutant(
    "midpoint: r forgotten",
    midpoint_sample,
    middle_of(lambda first, second, r: second),
)
@mutant(
    "midpoint: r above, not below",
    midpoint_sample,
    middle_of(lambda first, second, r: first + (second - first) * 2 * r),
)
@mutant(
    "midpoint: both halves, as in Heun's",
    midpoint_sample,
    middle_of(lambda first, second, r: (first + second) / 2),
)
def test_the_midpoint_is_of_order_2():
    assert order(midpoint_sample) == pytest.approx(2, abs=0.1)


def asked_by(solver, schedule, times, **options):
    """Return the steps at which a solver asks."""
    asked = []

    def listening(x, t):
        asked.append(int(t[0]))
        return 0 * x

    list(solver(listening, torch.ones(1, 2), schedule, times, **options))
    return asked


def test_the_midpoint_asks_where_half_of_the_log_snr_is_gone():
    schedule = linear_schedule(1000)
    times = uniform_times(schedule, 7)
    asked = asked_by(midpoint_sample, schedule, times)
    log_snr = schedule.snr.log().numpy()
    steps = list(pairwise(times))
    for (t, s), first, middle in zip(
        steps[:-1], asked[::2], asked[1::2], strict=False
    ):
        assert first == t
        off = abs(log_snr - (log_snr[t] + log_snr[s]) / 2)
        assert middle == off.argmin()
    assert asked[-1] == times[-2]


def equal_steps(sigmas, target):
    """Return the textbook's weights, which are iPNDM's."""
    return {
        1: [1.0],
        2: [-1 / 2, 3 / 2],
        3: [5 / 12, -16 / 12, 23 / 12],
        4: [-9 / 24, 37 / 24, -59 / 24, 55 / 24],
    }[len(sigmas)]


def newest_first(right, sigmas, target):
    return right(sigmas, target)[::-1]


def value_at_the_end(right, sigmas, target):
    """Extrapolate the answers to the step's end: no mean over the step."""
    return [
        float(
            np.prod(
                [
                    (target - other) / (sigma - other)
                    for other in sigmas
                    if other != sigma
                ]
            )
        )
        for sigma in sigmas
    ]


@mutant("AB: weights of equal steps on unequal", step_weights, equal_steps)
@mutant("AB: the end's value for the mean", step_weights, value_at_the_end)
@mutant("AB: the newest answer first", step_weights, newest_first)
@pytest.mark.equation("eq-adams-bashforth", oracle="Runge and Kutta's flow")
@pytest.mark.parametrize("k", [1, 2, 3])
def test_adams_bashforth_has_the_order_of_its_answers(k):
    found = order(adams_bashforth_sample, order=k)
    assert found == pytest.approx(k, abs=0.1)


def leads(ratio, first=False):
    """Return a wrong 2M: D, of the steps' lengths in log SNR."""

    def wrong(eps_model, x_T, schedule, times):
        a, sigma = levels(schedule)
        log_snr, seen = schedule.snr.log().tolist(), []
        x = x_T
        yield x
        for t, s in pairwise(times):
            eps_hat = eps_model(x, torch.full((len(x),), t))
            lead = x_0_hat = x_0_from_eps(x, t, eps_hat, schedule)
            if seen and s:
                r, old = seen[-1]
                new, last_one = (
                    log_snr[s] - log_snr[t],
                    log_snr[t] - log_snr[r],
                )
                lead = x_0_hat + ratio(new, last_one) * (x_0_hat - old)
            seen.append((t, x_0_hat))
            shrink = a[s] * sigma[s] / a[t] / sigma[t]
            x = shrink * x + (a[s] - a[t] * shrink) * lead
            yield x

    return wrong


@mutant(
    "2M: equal steps taken for granted",
    dpm_solver_sample,
    leads(lambda new, old: 1 / 2),
)
@mutant(
    "2M: the half lost", dpm_solver_sample, leads(lambda new, old: new / old)
)
@mutant("2M: no memory", dpm_solver_sample, leads(lambda new, old: 0.0))
@pytest.mark.equation("eq-dpm-solver", oracle="Runge and Kutta's flow")
def test_dpm_solver_is_of_order_2():
    assert order(dpm_solver_sample) == pytest.approx(2, abs=0.1)


@mutant(
    "2M: the ratio inverted",  # its order is 2 all the same: errors cancel
    dpm_solver_sample,
    leads(lambda new, old: old / new / 2),
)
@mutant(
    "2M: sign of the change",
    dpm_solver_sample,
    leads(lambda new, old: -new / old / 2),
)
@pytest.mark.equation("eq-dpm-solver", oracle="a line in log SNR")
@every_grid
def test_dpm_solver_takes_x_0_from_half_way(grid, generator):
    # Where x_0_hat is a line in log SNR, whatever x_t, D lies on it.
    start, slope = draw(generator, 2, 3, 2)
    log_snr = LINEAR.snr.log()

    def eps_model(x_t, t):
        x_0 = start + slope * log_snr[t][:, None]
        return (x_t - alpha_bar[t] ** 0.5 * x_0) / (1 - alpha_bar[t]) ** 0.5

    alpha_bar = LINEAR.alpha_bar[:, None]
    times = grid(LINEAR, 8)
    run = list(
        dpm_solver_sample(eps_model, draw(generator, 3, 2), LINEAR, times)
    )
    for i, ((t, s), (x_t, x_s)) in enumerate(
        zip(pairwise(times), pairwise(run), strict=True)
    ):
        inner = 0 < i < 7  # the first step and the last have no line
        where = (log_snr[t] + log_snr[s]) / 2 if inner else log_snr[t]
        x_0 = start + slope * where
        a, v = alpha_bar**0.5, 1 - alpha_bar
        eps = (x_t - a[t] * x_0) / v[t] ** 0.5
        torch.testing.assert_close(x_s, a[s] * x_0 + v[s] ** 0.5 * eps)


@pytest.mark.equation("eq-adams-bashforth", oracle="integrals by numpy")
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_weights_integrate_polynomials(k):
    rng = np.random.default_rng(0)
    for _ in range(20):
        sigmas = np.sort(rng.uniform(0.5, 80, k))[::-1]
        target = rng.uniform(0, sigmas[-1])
        weights = step_weights(sigmas.tolist(), target)
        assert sum(weights) == pytest.approx(1)
        for j in range(k):  # the polynomial that is 1 at one, 0 at the others
            basis = np.poly1d(np.delete(sigmas, j), r=True)
            area = np.polyint(basis / basis(sigmas[j]))
            mean = (area(target) - area(sigmas[-1])) / (target - sigmas[-1])
            assert weights[j] == pytest.approx(mean, rel=1e-6, abs=1e-9)


@pytest.mark.equation("eq-adams-bashforth", oracle="the textbook's fractions")
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_with_equal_steps_the_weights_are_the_textbooks(k):
    sigmas = [5.0 - i / 2 for i in range(k)]
    weights = step_weights(sigmas, sigmas[-1] - 0.5)
    assert weights == pytest.approx(equal_steps(sigmas, None))


@mutant("AB: the end's value for the mean", step_weights, value_at_the_end)
@mutant("AB: the newest answer first", step_weights, newest_first)
@pytest.mark.equation("eq-adams-bashforth", oracle="an integral by hand")
@pytest.mark.equation("eq-heun", oracle="an integral by hand")
@every_grid
def test_slopes_that_are_a_line_in_sigma_are_followed_exactly(grid):
    # Heun's at once, Adams and Bashforth from the second step on.
    _, sigma = levels(COSINE)
    times = grid(COSINE, 6)

    def eps_model(x_t, t):
        return torch.full_like(x_t, 3 - sigma[int(t[0])] / 5)

    def y(run):
        a, _ = levels(COSINE)
        return [float(x) / a[t] for x, t in zip(run, times, strict=True)]

    x_T = torch.ones(1, 1, dtype=torch.float64)
    runs = heun_sample, partial(adams_bashforth_sample, order=2)
    for solver, first, end in zip(runs, (0, 1), (-1, None), strict=True):
        states = y(solver(eps_model, x_T, COSINE, times))[first:end]
        steps = times[first:end]
        for (now, then), (t, s) in zip(
            pairwise(states), pairwise(steps), strict=True
        ):
            way = sigma[s] - sigma[t]
            line = 3 - (sigma[s] + sigma[t]) / 10
            assert then - now == pytest.approx(way * line, rel=1e-6)


def test_order_1_is_ddim(generator):
    model, x_T = exact(RING, LINEAR), draw(generator, 5, 2)
    times = log_snr_times(LINEAR, 7)
    ab = adams_bashforth_sample(model, x_T, LINEAR, times, order=1)
    for got, want in zip(
        ab, ddim_sample(model, x_T, LINEAR, times), strict=True
    ):
        torch.testing.assert_close(got, want)


@every_solver
def test_one_step_is_one_pass_to_the_mean(solver, generator):
    counted = Counted(exact(RING, LINEAR))
    x_T = draw(generator, 5, 2)
    x_0 = last(solver(counted, x_T, LINEAR, [100, 0]))
    want = x_0_from_eps(x_T, 100, RING.optimal_eps(x_T, 100, LINEAR), LINEAR)
    torch.testing.assert_close(x_0, want)
    assert counted.passes == 1


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_passes_are_counted(n):
    passes = dict.fromkeys(SOLVERS, n)
    passes |= {"heun": 2 * n - 1, "midpoint": 2 * n - 1}
    x_T = torch.ones(1, 2)
    for name, solver in SOLVERS.items():
        counted = Counted(exact(RING, LINEAR))
        times = uniform_times(LINEAR, n)
        states = list(solver(counted, x_T, LINEAR, times))
        assert len(states) == n + 1
        assert counted.passes == passes[name]
    assert Counted(exact(RING, LINEAR)).passes == 0


# ---- the times --------------------------------------------------------------


@every_grid
@pytest.mark.parametrize("T", [1, 2, 3, 20, 101])
def test_every_grid_falls_from_T_to_0(grid, T):
    for schedule in (
        linear_schedule(T),
        cosine_schedule(T, beta_max=0.9999),
        Schedule.from_betas(torch.full((T,), 1 - 1e-4 ** (1 / T))),
    ):
        for n in range(1, T + 1):
            times = grid(schedule, n)
            assert len(times) == n + 1
            assert (times[0], times[-1]) == (T, 0)
            assert all(s < t for t, s in pairwise(times))
            assert all(type(t) is int for t in times)
        assert times == list(range(T, -1, -1))


def off_by_one(right, schedule, n, rho=7.0):
    """Divide the way by n, and so miss the last step but one."""
    times = right(schedule, min(n + 1, schedule.T), rho)
    return [*times[:n], 0]


def no_rho(right, schedule, n, rho=7.0):
    return right(schedule, n, 1.0)


def of_variances(right, schedule, n, rho=7.0):
    return right(schedule, n, rho / 2)


@mutant("EDM's grid that misses its end", edm_times, off_by_one)
@mutant("EDM's grid without rho", edm_times, no_rho)
@mutant("3: sigma squared in EDM's grid", edm_times, of_variances)
@pytest.mark.equation("eq-edm-times", oracle="the paper's formula, by numpy")
@pytest.mark.parametrize("n", [2, 5, 10])
def test_edms_grid_is_the_papers_at_the_nearest_steps(n):
    for schedule in (linear_schedule(1000), linear_schedule(4000)):
        _, sigma = levels(schedule)
        for rho in (7.0, 3.0):
            low, high = sigma[1] ** (1 / rho), sigma[-1] ** (1 / rho)
            i = np.arange(n)
            want = (high + i / (n - 1) * (low - high)) ** rho
            step = np.interp(want, sigma, np.arange(len(sigma)))
            assert np.abs(edm_times(schedule, n, rho)[:-1] - step).max() < 0.6


def test_edms_grid_is_known_and_near_that_of_log_snr():
    schedule = linear_schedule(1000)
    assert edm_times(schedule, 4) == [1000, 776, 302, 1, 0]
    far = edm_times(schedule, 6, 1e5), log_snr_times(schedule, 6)
    assert all(abs(t - s) <= 1 for t, s in zip(*far, strict=True))


def test_uniform_times_are_rounded_to_the_nearest_step():
    for n in range(1, 101):
        want = np.linspace(100, 0, n + 1)
        assert abs(uniform_times(LINEAR, n) - want).max() < 0.5001


@every_grid
def test_a_grids_number_of_steps_is_refused(grid):
    for n, words in (
        (0, "n must be a whole number, at least 1, got 0"),
        (101, "n must be at most 100, got 101"),
        (1.5, r"n must be a whole number, at least 1, got 1\.5"),
        (True, "n must be a whole number"),
        ("5", "n must be a whole number"),
    ):
        with pytest.raises(ValueError, match=words):
            grid(LINEAR, n)
    with pytest.raises(ValueError, match="rho must be a number"):
        edm_times(LINEAR, 5, rho=0)


@pytest.mark.parametrize("rho", [1e-300, 1e-3, 1.0, 1e3, 1e300])
def test_every_rho_gives_a_grid(rho):
    for n in (1, 7, 100):
        times = edm_times(LINEAR, n, rho)
        assert (times[0], times[-1], len(times)) == (100, 0, n + 1)
        assert all(s < t for t, s in pairwise(times))
    if rho > 1e6:
        assert edm_times(LINEAR, 7, rho) == log_snr_times(LINEAR, 7)


# ---- up again, and churn ----------------------------------------------------


def test_inversion_undoes_the_steps_in_the_limit_only(generator):
    x_0 = RING.sample(32, generator=generator)
    errors = []
    for n in (128, 256, 512):
        schedule, times = limping(n)
        model = exact(RING, schedule)
        up = list(invert(model, x_0, schedule, times))
        assert len(up) == n + 2
        assert up[0] is x_0
        down = last(ddim_sample(model, up[-1], schedule, times))
        errors.append(float((down - x_0).square().mean().sqrt()))
    assert errors[-1] > 1e-3
    for fewer, more in pairwise(errors):
        assert math.log2(fewer / more) == pytest.approx(1, abs=0.1)


def test_inversion_leads_to_the_noise_it_came_from():
    x_T, end = start_and_end()
    schedule, times = limping(1024)
    up = last(invert(exact(RING, schedule), end, schedule, times))
    assert float((up - x_T).square().mean().sqrt()) < 0.02


def raised_by_std(right, x_t, t, gamma, schedule, generator):
    a, sigma = levels(schedule)
    x, raised = right(0 * x_t, t, gamma, schedule, generator)
    fresh = (sigma[raised] ** 2 - sigma[t] ** 2) ** 0.5
    less = sigma[raised] - sigma[t]
    return a[raised] * x_t / a[t] + less / max(fresh, 1e-9) * x, raised


def not_scaled(right, x_t, t, gamma, schedule, generator):
    a, _ = levels(schedule)
    x, raised = right(0 * x_t, t, gamma, schedule, generator)
    return x_t / a[t] + x, raised


def where_it_was(right, x_t, t, gamma, schedule, generator):
    return right(x_t, t, gamma, schedule, generator)[0], t


@mutant("3: churn by the difference of stds", churned, raised_by_std)
@mutant("churn without the factor of x_t", churned, not_scaled)
@mutant("churn whose t is not raised", churned, where_it_was)
@pytest.mark.parametrize("churn", [20.0, 1e9])
def test_with_churn_the_end_is_the_data(churn, generator):
    n, mixture = 20_000, gaussian(0.7, 0.3)
    schedule = linear_schedule(1000)
    run = heun_sample(
        exact(mixture, schedule),
        draw(generator, n, 1),
        schedule,
        edm_times(schedule, 60),
        churn=churn,
        generator=generator,
    )
    x = last(run)
    assert abs(float(x.mean()) - 0.7) < 4 * (0.3 / n) ** 0.5 + 1e-3
    assert abs(float(x.var()) - 0.3) < 4 * 0.3 * (2 / n) ** 0.5 + 1e-3


@mutant("3: churn by the difference of stds, at once", churned, raised_by_std)
def test_churn_keeps_the_marginals(generator):
    n, mixture, schedule = 40_000, gaussian(0.7, 0.3), linear_schedule(1000)
    for t in (1, 200, 900):
        x_t = mixture.noised(t, schedule).sample(n, generator=generator)
        x, raised = churned(x_t, t, 0.4, schedule, generator)
        _, sigma = levels(schedule)
        assert t < raised
        gap = abs(sigma - 1.4 * sigma[t])
        assert gap[raised] == min(gap[t:])
        want = mixture.noised(raised, schedule)
        v = float(want.covariance)
        assert abs(float(x.mean() - want.mean)) < 4 * (v / n) ** 0.5
        assert abs(float(x.var()) - v) < 4 * v * (2 / n) ** 0.5
    assert churned(x_t, 1000, 0.4, schedule, generator)[1] == 1000


@pytest.mark.parametrize(("churn", "gamma"), [(2, 0.1), (9, 2**0.5 - 1)])
def test_churn_is_shared_among_the_steps(churn, gamma, generator):
    schedule = linear_schedule(4000)
    times = edm_times(schedule, 20)
    asked = asked_by(
        heun_sample, schedule, times, churn=churn, generator=generator
    )
    _, sigma = levels(schedule)
    for t, raised in list(zip(times, asked[::2], strict=False))[1:]:
        off = abs(sigma[t:] - (1 + gamma) * sigma[t])
        assert raised == t + off.argmin()
    assert asked[0] == schedule.T  # there is no more noise than that


def test_a_little_churn_is_none_and_none_needs_no_generator(generator):
    model, x_T = exact(RING, LINEAR), draw(generator, 5, 2)
    times = edm_times(LINEAR, 8)
    want = last(heun_sample(model, x_T, LINEAR, times))
    for options in ({}, {"generator": generator}):
        got = last(heun_sample(model, x_T, LINEAR, times, **options))
        torch.testing.assert_close(got, want, rtol=0, atol=0)
    got = last(ddim_sample(model, x_T, LINEAR, times, generator=generator))
    want = last(ddim_sample(model, x_T, LINEAR, times))
    torch.testing.assert_close(got, want, rtol=0, atol=0)


def test_the_same_seed_gives_the_same_samples(generator):
    x_T = draw(generator, 5, 2)
    times = uniform_times(LINEAR, 10)
    for solver, options in (
        (ddim_sample, {"eta": 0.5}),
        (heun_sample, {"churn": 5.0}),
    ):
        found = [
            last(
                solver(
                    exact(RING, LINEAR),
                    x_T,
                    LINEAR,
                    times,
                    generator=torch.Generator().manual_seed(seed),
                    **options,
                )
            )
            for seed in (1, 1, 2)
        ]
        assert torch.equal(found[0], found[1])
        assert not torch.equal(found[0], found[2])


# ---- bad input, and what is barely possible ---------------------------------


def still(x_t, t):
    return 0 * x_t


UP_AND_DOWN = [*SOLVERS.values(), invert]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([0, 50, 100], "times must fall from T = 100 to 0"),
        ([100, 50, 50, 0], "times must fall"),
        ([100, 40, 50, 0], "times must fall"),
        ([50, 25, 0], "times must fall from T = 100"),
        ([99, 50, 0], "got \\[99, 50, 0\\]"),
        ([100, 50, 1], "times must fall from T = 100 to 0"),
        ([], "times must fall .* got \\[\\]"),
        ([100], "times must fall"),
        ([0], "times must fall"),
        (list(range(100)), "18, 19, '...'"),
        (None, "times must be a sequence of steps, got None"),
        (5, "times must be a sequence of steps, got 5"),
        ([100, 50.5, 0], r"t must be whole numbers .* got 50\.5"),
        ([100.0, 0.0], "t must be whole numbers"),
        ([101, 50, 0], "t must be whole numbers from 0 to 100"),
        ([100, 50, -1], "t must be whole numbers from 0 to 100"),
    ],
)
def test_bad_times_are_refused_at_once(times, words):
    for solver in UP_AND_DOWN:
        with pytest.raises(ValueError, match=words):
            solver(still, torch.ones(1, 2), LINEAR, times)


@pytest.mark.parametrize("solver", UP_AND_DOWN)
def test_a_bad_start_is_refused_at_once(solver):
    for x_T, words in (
        (torch.ones(2, 2) / 0, "must be finite"),
        (torch.ones(0, 2), "must be a batch"),
        (torch.ones(2, 2).long(), "must be a float tensor"),
        ([[1.0]], "must be a float tensor"),
    ):
        with pytest.raises(ValueError, match=words):
            solver(still, x_T, LINEAR, [100, 0])


@pytest.mark.parametrize("solver", UP_AND_DOWN)
def test_a_models_bad_answer_is_named(solver):
    times = [100, 60, 30, 0]

    def breaks(x_t, t):
        return x_t / 0 if int(t[0]) == 30 else 0 * x_t

    with pytest.raises(FloatingPointError, match="at t = 30 is not finite"):
        list(solver(breaks, torch.ones(1, 2), LINEAR, times))
    with pytest.raises(ValueError, match="x_t and eps_hat must have one"):
        list(solver(lambda x, t: x[:, :1], torch.ones(1, 2), LINEAR, times))


def test_bad_amounts_of_noise_are_refused(generator):
    x, times = torch.ones(1, 2), [100, 0]
    for eta, words in (
        (-1, "eta must be a number, at least 0"),
        (2, r"eta must lie in 0\.\.1, got 2"),
        (math.nan, "eta must be a number"),
        ("1", "eta must be a number"),
    ):
        with pytest.raises(ValueError, match=words):
            ddim_sample(still, x, LINEAR, times, eta=eta, generator=generator)
    with pytest.raises(ValueError, match=r"eta = 0\.5 .* give a generator"):
        ddim_sample(still, x, LINEAR, times, eta=0.5)
    with pytest.raises(ValueError, match="churn must be a number, at least"):
        heun_sample(still, x, LINEAR, times, churn=-1, generator=generator)
    with pytest.raises(ValueError, match=r"churn = 5 .* give a generator"):
        heun_sample(still, x, LINEAR, times, churn=5)
    for order in (0, 5, 1.5):
        with pytest.raises(ValueError, match="order must be"):
            adams_bashforth_sample(still, x, LINEAR, times, order=order)
    for t, s in ((5, 5), (5, 6)):
        with pytest.raises(ValueError, match="s must be below t"):
            ddim_step(x, t, s, x, x, LINEAR)
    with pytest.raises(ValueError, match="t must be whole numbers from 1"):
        ddim_step(x, 0, 0, x, x, LINEAR)
    for t, s in ((5, -1), (101, 0), (0, -1), (2.5, 1)):
        with pytest.raises(ValueError, match="t must be whole numbers"):
            ddim_noise(t, s, LINEAR, 0.5)
        with pytest.raises(ValueError, match="t must be whole numbers"):
            euler_step(x, t, s, x, LINEAR)
    with pytest.raises(ValueError, match="x_t and z must have one shape"):
        ddim_step(x.repeat(3, 1), 5, 4, x.repeat(3, 1), x, LINEAR)
    with pytest.raises(ValueError, match="gamma must be a number, at least"):
        churned(x, 5, -0.1, LINEAR, generator)
    for sigmas in ([], [2.0, 2.0], [2.0, 1.0]):
        with pytest.raises(ValueError, match="must all differ"):
            step_weights(sigmas, 1.0)
    with pytest.raises(ValueError, match="must have one shape"):
        euler_step(x, 5, 4, x.T, LINEAR)


@every_solver
@pytest.mark.parametrize(
    ("dtype", "near"),
    [
        (torch.bfloat16, 0.3),
        (torch.float16, 0.1),
        (torch.float32, 1e-3),
        (torch.float64, 1e-12),
    ],
)
def test_states_keep_their_dtype(solver, dtype, near, generator):
    x_T, times = draw(generator, 1, 2), log_snr_times(LINEAR, 6)
    want = list(solver(exact(RING, LINEAR), x_T, LINEAR, times))
    run = solver(exact(RING, LINEAR), x_T.to(dtype), LINEAR, times)
    for x, exactly in zip(run, want, strict=True):
        assert x.dtype == dtype
        torch.testing.assert_close(x.double(), exactly, rtol=0, atol=near)


@every_solver
def test_a_schedule_of_one_step(solver):
    one = linear_schedule(1)
    run = solver(exact(RING, one), torch.ones(1, 2), one, [1, 0])
    want = RING.mean.float()[None]
    torch.testing.assert_close(last(run), want, rtol=0, atol=0.02)


@every_solver
def test_pictures_are_solved_as_points_are(solver, generator):
    x_T = draw(generator, 3, 4, 2, 2)
    times = uniform_times(LINEAR, 5)

    def eps_model(x_t, t):
        return (x_t - x_t.flatten(1).mean(1)[:, None, None, None]) / 2

    def alone(x_t, t):
        return eps_model(x_t.reshape(-1, 4, 2, 2), t).flatten(1)

    pictures = last(solver(eps_model, x_T, LINEAR, times))
    rows = last(solver(alone, x_T.flatten(1), LINEAR, times))
    torch.testing.assert_close(pictures.flatten(1), rows)


@every_solver
def test_hardly_any_signal_at_T(solver):
    low, x_T = cosine_schedule(1000), torch.ones(2, 2)  # alpha_bar_T is 2e-9
    x_0 = last(solver(exact(RING, low), x_T, low, log_snr_times(low, 50)))
    assert float((x_0 - exact_flow(RING, x_T, low)).abs().max()) < 0.1
    with pytest.raises(ValueError, match=r"must be at least 0\.00024, what "):
        solver(exact(RING, low), x_T.half(), low, log_snr_times(low, 50))


def test_no_signal_at_T_is_refused():
    ends = torch.cat([LINEAR.alpha_bar, torch.tensor([1e-16])])
    low, times = Schedule.from_alpha_bar(ends), uniform_times(LINEAR, 4)
    for solver in UP_AND_DOWN:
        solver(still, torch.ones(1, 2).double(), low, [101, *times[1:]])
        with pytest.raises(ValueError, match=r"float32 can tell .* got 1e-08"):
            solver(still, torch.ones(1, 2), low, [101, *times[1:]])
    with pytest.raises(ValueError, match="must fall at every step"):
        Schedule.from_alpha_bar(torch.tensor([1.0, 0.5, 0.0]))


def test_only_some_networks_can_tell_another_length_of_schedule():
    times = uniform_times(linear_schedule(200), 4)
    x_T = torch.ones(1, 2)
    longer = linear_schedule(200)
    torch.manual_seed(0)
    x_0 = last(ddim_sample(MLP(2, 8), x_T, longer, times))  # it cannot
    assert x_0.isfinite().all()
    with pytest.raises(ValueError, match=r"from . to 100, got \[200\]"):
        last(ddim_sample(VPrediction(MLP(2, 8), LINEAR), x_T, longer, times))
