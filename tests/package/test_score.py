"""SDE, ODE and velocity, against what is exact for a mixture."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch

from diffusion_lite.arguments import normal
from diffusion_lite.data import eight_modes, two_modes
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.networks import MLP
from diffusion_lite.parameterization import (
    eps_from_v,
    v_from_x_0_eps,
    x_0_from_v,
)
from diffusion_lite.schedules import (
    Schedule,
    cosine_schedule,
    linear_schedule,
)
from diffusion_lite.score import (
    LEVELS,
    Path,
    convert,
    cosine_path,
    euler_maruyama,
    exploding_path,
    flow,
    flow_matching_loss,
    learned,
    linear_path,
    preconditioning,
    reverse,
    score_loss,
    sliced_loss,
    straight_path,
    straightness,
    sub_vp_path,
)
from diffusion_lite.training import last, train
from mutants import mutant

PATHS = {
    "linear": linear_path(),
    "cosine": cosine_path(),
    "sub-VP": sub_vp_path(),
    "exploding": exploding_path(10.0),
    "straight": straight_path(),
}
every_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
T = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)


def draw(generator, *shape):
    return normal(shape, generator, torch.float64)


# ---- the path and its SDE ---------------------------------------------------


@pytest.mark.equation("eq-sde", oracle="the chain, its steps made smaller")
@pytest.mark.equation("eq-path", oracle="the chain, its steps made smaller")
def test_a_chain_of_many_small_steps_becomes_the_path():
    path, errors = linear_path(), []
    for n in (500, 1000, 2000):
        t = torch.arange(n + 1, dtype=torch.float64) / n
        beta = (0.1 + 19.9 * t[1:]) / n
        chain = Schedule.from_betas(beta)
        a, s = path.at(t)
        errors.append(float((chain.alpha_bar.sqrt() - a).abs().max()))
        torch.testing.assert_close((1 - chain.alpha_bar).sqrt(), s, **ROUGH)
        f, g = path.rates(t[1:])
        torch.testing.assert_close(g.square() / n, beta, rtol=1e-9, atol=0)
        one_step = ((1 - beta).sqrt() - 1) * n  # what a step takes off x
        torch.testing.assert_close(f, one_step, rtol=20 / n, atol=0)
    for more, fewer in pairwise(errors):
        assert more / fewer == pytest.approx(2, abs=0.05)  # order 1/T


ROUGH = {"rtol": 0, "atol": 0.02}


@pytest.mark.parametrize(
    ("path", "schedule"),
    [
        (linear_path(), linear_schedule(1000)),
        (cosine_path(), cosine_schedule(1000)),
    ],
)
def test_the_schedules_of_the_book_lie_on_their_paths(path, schedule):
    a, _ = path.at(torch.arange(1001) / 1000)
    torch.testing.assert_close(a**2, schedule.alpha_bar, rtol=0, atol=2e-3)


def without_a_two(right, self, t):
    a, variance = self.a, self.variance
    return right(Path(lambda t: a(t) ** 0.5, variance), t)


def variance_alone(right, self, t):
    f, g = right(self, t)
    return f, (g**2 + 2 * f * self.variance(t)).clamp(min=0).sqrt()


@mutant("the diffusion without the drift", (Path, "rates"), variance_alone)
@mutant("a half too many in the drift", (Path, "rates"), without_a_two)
@pytest.mark.equation(
    "eq-drift-diffusion", oracle="differences of a and of the log SNR"
)
@every_path
def test_drift_and_diffusion_are_those_of_the_two_curves(path):
    h = 1e-5
    (low, s), (high, _) = path.at(T - h), path.at(T + h)
    _, s = path.at(T)
    f, g = path.rates(T)
    torch.testing.assert_close(
        f, (high.log() - low.log()) / (2 * h), rtol=1e-6, atol=1e-8
    )
    falls = (path.log_snr(T - h) - path.log_snr(T + h)) / (2 * h)
    torch.testing.assert_close(g**2, s**2 * falls, rtol=1e-6, atol=1e-8)


def test_drift_and_diffusion_are_the_published_ones():
    beta = 0.1 + 19.9 * T
    a, _ = linear_path().at(T)
    for path, factor in ((linear_path(), 1), (sub_vp_path(), 1 - a**4)):
        f, g = path.rates(T)
        torch.testing.assert_close(f, -beta / 2)
        torch.testing.assert_close(g**2, beta * factor)
    f, g = exploding_path(3.0).rates(T)
    torch.testing.assert_close(f, 0 * T)
    torch.testing.assert_close(g**2, 18 * T)


@pytest.mark.equation("eq-levels", oracle="the book's table of the SNR")
def test_levels_have_one_axis():
    chain = linear_schedule(1000)
    for t in (1, 100, 500, 900, 1000):
        alpha_bar, snr = float(chain.alpha_bar[t]), float(chain.snr[t])
        want = {
            "log_snr": math.log(snr),
            "alpha_bar": alpha_bar,
            "sigma": snr**-0.5,
            "straight": 1 / (1 + snr**0.5),
        }
        for source in LEVELS:
            for target in LEVELS:
                got = convert(want[source], source, target)
                assert got == pytest.approx(want[target], rel=1e-9)


def without_its_square(right, self, t):
    return right(self, t) / 2


@mutant("log(a / s) as the log SNR", (Path, "log_snr"), without_its_square)
@pytest.mark.equation("eq-levels", oracle="a and s themselves")
@every_path
def test_a_time_and_its_log_snr_are_one_thing(path):
    for t in T.tolist():
        assert path.time(float(path.log_snr(t))) == pytest.approx(t, abs=1e-9)
        a, s = path.at(t)
        snr = float(path.log_snr(t))
        assert convert(snr, "log_snr", "sigma") == pytest.approx(float(s / a))


# ---- forwards and back ------------------------------------------------------


def gaps(x, mixture, generator):
    """Return all errors of samples, each over its standard error.

    Of the mean, the second moments and the modes' shares.
    """

    def features(x):
        pairs = torch.triu_indices(x.shape[1], x.shape[1])
        square = x[:, pairs[0]] * x[:, pairs[1]]
        return torch.cat([x, square, mixture.responsibilities(x)], 1)

    found, real = features(x), mixture.sample(20_000, generator=generator)
    offset = mixture.mean[:, None] * mixture.mean
    second = mixture.covariance + offset
    pairs = torch.triu_indices(*second.shape)
    want = torch.cat(
        [mixture.mean, second[pairs[0], pairs[1]], mixture.weights]
    )
    error = features(real).std(0) / len(x) ** 0.5
    return (found.mean(0) - want) / error


def noise_of_dt(dynamics, x, times, *, generator):
    """Take |dt| for its root, as the noise of a step."""
    yield x
    for t, next_t in pairwise(times.tolist()):
        drift, g = dynamics(x, t)
        z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        x = x + drift * (next_t - t) + g * abs(next_t - t) * z
        yield x


@mutant("the step in place of its root", euler_maruyama, noise_of_dt)
@pytest.mark.equation("eq-euler-maruyama", oracle="the exact marginals")
@every_path
def test_the_way_forward_has_the_exact_marginals(path, generator):
    ring = eight_modes()
    times = torch.linspace(1e-3, 0.9, 401, dtype=torch.float64)
    x = path.marginal(ring, 1e-3).sample(1000, generator=generator)
    states = euler_maruyama(path.forward, x, times, generator=generator)
    for i, x in enumerate(states):
        if i % 80 == 0 and i:
            exact = path.marginal(ring, float(times[i]))
            assert gaps(x, exact, generator).abs().max() < 4


def sampled(path, churn, generator, n=1000, steps=400):
    """Yield five times of the way back, and what is there."""
    ring, late = eight_modes(), 0.999
    times = late * torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** 2
    x = path.marginal(ring, late).sample(n, generator=generator)
    dynamics = reverse(path.score(ring), path, churn)
    states = euler_maruyama(dynamics, x, times, generator=generator)
    for i, x in enumerate(states):
        if i and i % (steps // 5) == 0:
            yield path.marginal(ring, float(times[i])), x


def mistaken(sign=1.0, share=0.5, of_noise=1.0, turned=1.0):
    """Return a way back whose drift or noise is not the right one."""

    def wrong(score, path, churn=1.0):
        def dynamics(x, t):
            forward, g = path.forward(x, t)
            pull = share * (1 + churn**2) * g**2 * score(x, t)
            drift = turned * (sign * forward - pull)
            return drift, of_noise * churn * g

        return dynamics

    return wrong


def full_square(score, path, churn=1.0):
    return mistaken(share=0.5 if churn else 1.0)(score, path, churn)


def upwards(score, path, churn=1.0):
    forward = mistaken(share=-0.5)
    return forward(score, path, churn)


@mutant("12: the drift with the wrong sign", reverse, mistaken(sign=-1.0))
@mutant("8: the score with the wrong sign", reverse, upwards)
@mutant("12: a lost factor of 2 in the SDE", reverse, mistaken(share=0.25))
@mutant("12: the ODE with the SDE's whole g^2", reverse, full_square)
@mutant("time runs the wrong way", reverse, mistaken(turned=-1.0))
@mutant("the noise with half its std", reverse, mistaken(of_noise=0.5))
@pytest.mark.equation("eq-reverse-sde", oracle="the exact marginals")
@pytest.mark.equation("eq-probability-flow", oracle="the exact marginals")
@pytest.mark.equation("eq-churn", oracle="the exact marginals")
@pytest.mark.parametrize("churn", [0.0, 1.0, 2.0])
def test_the_way_back_has_the_exact_marginals(churn, generator):
    for path in (linear_path(), straight_path()):
        for exact, x in sampled(path, churn, generator):
            assert gaps(x, exact, generator).abs().max() < 4


@mutant("12: the density under a whole g^2", reverse, full_square)
@pytest.mark.equation("eq-fokker-planck", oracle="differences of densities")
@every_path
def test_the_density_flows_with_the_velocity(path):
    # dp/dt = -d(v p)/dx, with v = f x - g^2 score / 2, and with the noise
    # as noise: dp/dt = -d(f x p)/dx + g^2/2 d^2 p/dx^2.
    mixture, h, t = two_modes(), 1e-3, 0.4
    reach = 3 * float(path.marginal(mixture, t).covariance.sqrt())
    x = torch.linspace(-reach, reach, 101, dtype=torch.float64)[:, None]

    def p(t, x=x):
        return path.marginal(mixture, t).log_prob(x).exp()[:, None]

    dp_dt = (p(t + h) - p(t - h)) / (2 * h)
    f, g = path.rates(t)
    ode = reverse(path.score(mixture), path, 0.0)

    def current(x):
        return ode(x, t)[0] * p(t, x)

    def carried(x):
        return f * x * p(t, x)

    by_flow = (current(x - h) - current(x + h)) / (2 * h)
    by_noise = (carried(x - h) - carried(x + h)) / (2 * h)
    second = (p(t, x + h) - 2 * p(t) + p(t, x - h)) / h**2
    by_noise = by_noise + g**2 / 2 * second
    loose = {"rtol": 0, "atol": 1e-3 * float(dp_dt.abs().max()) + 1e-6}
    torch.testing.assert_close(by_flow, dp_dt, **loose)
    torch.testing.assert_close(by_noise, dp_dt, **loose)


def ends_of(path, mixture, z, steps=1500):
    """Follow the ODE back from a start with one log SNR on all paths."""
    start = path.time(-9.0)
    times = start * torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** 2
    x = path.at(start)[1] * z
    ode = reverse(path.score(mixture), path, 0.0)
    generator = torch.Generator()
    return last(euler_maruyama(ode, x, times, generator=generator))


@mutant("12: the ODE with a whole g^2, on a line", reverse, full_square)
@pytest.mark.equation("eq-probability-flow", oracle="the map of quantiles")
def test_the_flow_on_a_line_is_the_map_of_quantiles():
    # What flows on a line cannot overtake: so shares to the left stay.
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    mixture = two_modes()
    x = ends_of(straight_path(), mixture, z)
    normals = torch.distributions.Normal(0.0, 1.0)
    left = (x.T - mixture.means) / 0.4
    shares = mixture.weights @ normals.cdf(left)
    torch.testing.assert_close(shares, normals.cdf(z[:, 0]), **ROUGH)


def test_every_path_has_the_same_map_from_noise_to_data(generator):
    z, ring = draw(generator, 50, 2), eight_modes()
    found = [
        ends_of(path, ring, z)
        for path in (linear_path(), straight_path(), cosine_path())
    ]
    assert (found[0] - found[1]).abs().max() < 0.02
    assert (found[2] - found[1]).abs().max() < 0.02


@every_path
def test_the_velocity_of_one_path_gives_that_of_another(path, generator):
    # "Is flow matching diffusion?" At equal SNR the states differ by a factor.
    ring, straight, y = eight_modes(), straight_path(), draw(generator, 40, 2)
    for t in (0.2, 0.5, 0.9):
        u = straight.time(float(path.log_snr(t)))
        x_u, x_t = (
            each.at(w)[0] * y for each, w in ((straight, u), (path, t))
        )
        v, _ = reverse(straight.score(ring), straight, 0.0)(x_u, u)
        x_0, eps = straight.ends(x_u, u, v)
        want, _ = reverse(path.score(ring), path, 0.0)(x_t, t)
        torch.testing.assert_close(
            path.velocity(x_0, t, eps), want, rtol=1e-6, atol=1e-6
        )


# ---- velocities -------------------------------------------------------------


def from_noise_to_data(right, self, x_0, t, eps):
    return -right(self, x_0, t, eps)


@mutant("a velocity towards the data", (Path, "velocity"), from_noise_to_data)
@pytest.mark.equation("eq-velocity", oracle="differences of x_t")
@every_path
def test_the_velocity_is_that_of_x_t(path, generator):
    x_0, eps = draw(generator, 2, 19, 3)
    h = 1e-5

    def x(t):
        a, s = path.at(t)
        return a[:, None] * x_0 + s[:, None] * eps

    want = (x(T + h) - x(T - h)) / (2 * h)
    got = path.velocity(x_0, T, eps)
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-7)


def ends_exchanged(right, self, x_t, t, v):
    return right(self, x_t, t, v)[::-1]


@mutant("x_0 and eps exchanged", (Path, "ends"), ends_exchanged)
@pytest.mark.equation("eq-ends", oracle="both ends, known")
@every_path
def test_x_t_and_its_velocity_give_both_ends(path, generator):
    x_0, eps = draw(generator, 2, 19, 3)
    a, s = path.at(T)
    x_t = a[:, None] * x_0 + s[:, None] * eps
    got = path.ends(x_t, T, path.velocity(x_0, T, eps))
    torch.testing.assert_close(got, (x_0, eps))


def test_on_an_arc_the_velocity_is_that_of_chapter_2(generator):
    # Where the angle is the time, up to pi / 2, v is the book's v.
    x_0, eps = draw(generator, 2, 5, 3)
    arc, chain = cosine_path(0.0), cosine_schedule(100)
    for t in (20, 50, 80):
        alpha_bar = float(chain.alpha_bar[t])
        time = 2 / math.pi * math.acos(alpha_bar**0.5)
        v = v_from_x_0_eps(x_0, t, eps, chain)
        got = arc.velocity(x_0, time, eps) / (math.pi / 2)
        torch.testing.assert_close(got, v)
        x_t = alpha_bar**0.5 * x_0 + (1 - alpha_bar) ** 0.5 * eps
        ends = x_0_from_v(x_t, t, v, chain), eps_from_v(x_t, t, v, chain)
        torch.testing.assert_close(arc.ends(x_t, time, v * math.pi / 2), ends)


def average_velocity(path, mixture, x, t):
    """Return E[v | x_t = x] by quadrature over x_0, on a line."""
    x_0 = torch.linspace(-4, 4, 4001, dtype=torch.float64)[:, None]
    a, s = path.at(t)
    eps = (x - a * x_0) / s
    weight = (mixture.log_prob(x_0) - eps[:, 0] ** 2 / 2).softmax(0)
    return float(weight @ path.velocity(x_0, t, eps)[:, 0])


@mutant("12: the flow with a whole g^2", reverse, full_square)
@pytest.mark.equation("eq-flow-matching", oracle="quadrature over x_0")
@every_path
def test_the_mean_velocity_is_the_probability_flow(path):
    mixture = two_modes()
    ode = reverse(path.score(mixture), path, 0.0)
    for t in (0.1, 0.5, 0.9):
        for place in (-1.5, 0.2, 1.0):
            x = torch.full((1, 1), place, dtype=torch.float64)
            want = average_velocity(path, mixture, x, t)
            assert float(ode(x, t)[0]) == pytest.approx(
                want, rel=1e-5, abs=1e-9
            )


class Line(torch.nn.Module):
    """A velocity x_t w, with one weight for every step."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x, step):
        return self.weight * x


@pytest.mark.equation("eq-flow-matching", oracle="least squares by hand")
def test_the_loss_of_flow_matching_has_the_right_minimum(generator):
    # N(0, 1/4) data on the straight path: E v x_t = t - (1 - t) / 4 and
    # E x_t^2 = t^2 + (1 - t)^2 / 4, each averaged over t.
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    want = (t - (1 - t) / 4).mean() / (t**2 + (1 - t) ** 2 / 4).mean()
    net, x_0 = Line(), draw(generator, 200_000, 1) / 2
    loss = flow_matching_loss(
        net, x_0, path=straight_path(), generator=generator
    )
    loss.backward()  # with weight 0 it is -2 E v x_t
    second = (t**2 + (1 - t) ** 2 / 4).mean()
    got = -float(net.weight.grad) / 2 / float(second)
    assert got == pytest.approx(float(want), abs=0.01)


def test_a_coupling_is_taken_as_it_is_given(generator):
    # With eps = x_0 the velocity of the straight path is 0 throughout.
    x_0 = draw(generator, 10, 2)
    loss = partial(
        flow_matching_loss,
        lambda x, step: 0 * x,
        path=straight_path(),
        generator=generator,
    )
    assert float(loss(x_0, x_0)) == 0.0
    assert float(loss(x_0)) > 0.1


def test_a_network_is_asked_at_the_steps_it_was_trained_at():
    asked = []
    field = learned(lambda x, step: asked.append(int(step[0])) or x)
    for t in (0.0, 4e-4, 0.5, 1.0):
        field(torch.ones(1, 1), t)
    assert asked == [1, 1, 500, 1000]


def test_a_network_learns_the_velocity(generator):
    torch.manual_seed(0)
    path, mixture = straight_path(), two_modes()
    data = mixture.sample(5000, generator=generator).float()
    run = train(
        MLP(1, 32),
        partial(flow_matching_loss, path=path),
        data,
        steps=600,
        batch_size=256,
        lr=3e-3,
        generator=generator,
    )
    velocity = learned(last(run).ema)
    ode = reverse(path.score(mixture), path, 0.0)
    x = path.marginal(mixture, 0.5).sample(500, generator=generator)
    want = ode(x, 0.5)[0]
    error = (velocity(x, 0.5) - want).square().mean() / want.var()
    assert float(error) < 0.05
    steps = euler_maruyama(
        flow(velocity),
        draw(generator, 500, 1),
        [1.0, 0.5, 0.0],
        generator=generator,
    )
    assert last(steps).shape == (500, 1)


# ---- score matching ---------------------------------------------------------


STD = 0.3
WIDE = GaussianMixture(
    eight_modes().weights,
    eight_modes().means,
    eight_modes().covariances + STD**2 * torch.eye(2),
)


def no_half(right, score_model, x, r):
    s = score_model(x)
    return right(score_model, x, r) + s.square().sum(1) / 2


def signs(n, generator):
    """Return directions of +1 and -1: E r r^T = I."""
    bits = torch.randint(0, 2, (n, 2), generator=generator)
    return 2.0 * bits.double() - 1


class Smooth(torch.nn.Module):
    """A score that is not the right one, and whose divergence is known."""

    def __init__(self, pull):
        super().__init__()
        self.pull = pull

    def forward(self, x):
        return -self.pull * x + 0.3 * x.sin()


@mutant("sliced score matching without its half", sliced_loss, no_half)
@pytest.mark.equation("eq-explicit", oracle="differences of three losses")
@pytest.mark.equation("eq-sliced", oracle="differences of three losses")
@pytest.mark.equation("eq-denoising", oracle="differences of three losses")
def test_three_losses_differ_by_a_constant(generator):
    n = 200_000
    x_0 = eight_modes().sample(n, generator=generator)
    eps = draw(generator, n, 2)
    x = x_0 + STD * eps

    def losses(model):
        sliced = sliced_loss(model, x, signs(n, generator)).detach()
        explicit = score_loss(model, x, WIDE.score(x))
        return torch.stack(
            [explicit, score_loss(model, x, -eps / STD), sliced]
        )

    found = [losses(Smooth(0.5)), losses(Smooth(1.5))]
    better = found[1] - found[0]  # of the second model over the first
    mean, error = better.mean(1), better.std(1) / n**0.5
    assert abs(mean[0]) > 20 * error[0]
    for other in (1, 2):
        assert abs(mean[other] - mean[0]) < 4 * (error[0] + error[other])


@mutant("implicit score matching without its half", sliced_loss, no_half)
@pytest.mark.equation("eq-implicit", oracle="the divergence by hand")
def test_over_all_signs_the_slice_is_the_divergence(generator):
    x, model = draw(generator, 20, 2), Smooth(0.7)
    rows = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    slices = [sliced_loss(model, x, r.expand(20, 2)) for r in rows]
    divergence = (-0.7 + 0.3 * x.cos()).sum(1)
    want = model(x).square().sum(1) / 2 + divergence
    torch.testing.assert_close(sum(slices) / 2, want)


# ---- straightness and preconditioning ---------------------------------------


@pytest.mark.equation("eq-straightness", oracle="an integral by hand")
def test_straightness_of_a_curve(generator):
    t = torch.linspace(1, 0, 2001, dtype=torch.float64)
    end = draw(generator, 7, 2)
    lines = t[:, None, None] * end + 3
    assert straightness(lines, t) == pytest.approx(0, abs=1e-9)
    bent = t[:, None, None] ** 2 * end  # velocity 2 t for a chord of 1
    want = float(end.square().sum(1).mean()) / 3
    assert straightness(bent, t) == pytest.approx(want, rel=1e-5)


def test_straight_pairs_make_no_straight_flow(generator):
    # Data N(0, I): all of x_t is N(0, a^2 + s^2), so the flow scales z.
    one = torch.ones(1, dtype=torch.float64)
    standard = GaussianMixture(one, 0 * one[None], one[None, None])
    z, times = draw(generator, 20, 1), 0.999 * torch.linspace(1, 0, 2001)
    found = []
    for path in (linear_path(), straight_path()):
        a, s = path.at(times)
        exact = (a**2 + s**2).sqrt()[:, None, None] * z
        ode = reverse(path.score(standard), path, 0.0)
        run = euler_maruyama(ode, exact[0], times, generator=generator)
        states = torch.stack(list(run))
        torch.testing.assert_close(states, exact, rtol=0, atol=2e-3)
        found.append(straightness(states, times))
    assert found[0] < 1e-12 < 0.1 < found[1]


def skip_of_one(right, sigma, sigma_data):
    _, c_out, c_in = right(sigma, sigma_data)
    return 1.0, c_out, c_in


def no_data(right, sigma, sigma_data):
    return right(sigma, 1.0)


@mutant("a skip of 1 at every noise", preconditioning, skip_of_one)
@mutant("sigma_data 1 whatever the data", preconditioning, no_data)
@pytest.mark.equation("eq-c-out", oracle="a search over c_skip")
@pytest.mark.equation("eq-preconditioning", oracle="a search over c_skip")
@pytest.mark.parametrize("sigma", [0.05, 0.5, 5.0])
def test_preconditioning_makes_the_error_smallest(sigma, generator):
    n, sigma_data = 100_000, 0.5
    x_0, eps = sigma_data * draw(generator, n), draw(generator, n)
    x = x_0 + sigma * eps
    c_skip, c_out, c_in = preconditioning(sigma, sigma_data)
    assert float((c_in * x).std()) == pytest.approx(1, abs=0.02)
    target = (x_0 - c_skip * x) / c_out
    assert float(target.std()) == pytest.approx(1, abs=0.02)
    for other in (c_skip - 0.1, c_skip + 0.1):
        assert float((x_0 - other * x).std()) > c_out * 0.999


def test_edms_target_is_minus_v_for_data_of_variance_one(generator):
    chain = linear_schedule(1000)
    x_0, eps = draw(generator, 2, 4, 2)
    for t in (1, 300, 1000):
        sigma = convert(float(chain.alpha_bar[t]), "alpha_bar", "sigma")
        c_skip, c_out, c_in = preconditioning(sigma, 1.0)
        x = x_0 + sigma * eps
        target = (x_0 - c_skip * x) / c_out
        torch.testing.assert_close(
            target, -v_from_x_0_eps(x_0, t, eps, chain), rtol=1e-6, atol=1e-7
        )
        a, s = chain.coefficients(t, like=x_0)
        torch.testing.assert_close(c_in * x, a * x_0 + s * eps)


# ---- bad input --------------------------------------------------------------


def test_bad_input_is_named(generator):
    path, x = linear_path(), torch.ones(2, 3)
    for t in (-0.1, 1.1, math.nan):
        for call in (path.at, path.rates, path.log_snr):
            with pytest.raises(ValueError, match=r"t must lie in 0\.\.1"):
                call(t)
    for call in (path.velocity, path.ends):
        with pytest.raises(ValueError, match="t must be above 0"):
            call(x, 0.0, x)
        with pytest.raises(ValueError, match="must have one shape"):
            call(x, 0.5, x.T)
    for ends in (straight_path(), cosine_path()):
        with pytest.raises(ValueError, match=r"no x_0 is left at t = 1\.0"):
            ends.rates(1.0)
    for each, end in ((path, "-10.05"), (exploding_path(), "-8.764")):
        with pytest.raises(ValueError, match=f"must be at least {end}"):
            each.time(-20.0)
    with pytest.raises(ValueError, match="a level is one of"):
        convert(1.0, "sigma", "snr")
    for level, source in (
        (0.0, "alpha_bar"),
        (1.0, "straight"),
        (-1, "sigma"),
    ):
        with pytest.raises(ValueError, match="is no mix of data and noise"):
            convert(level, source, "log_snr")
    with pytest.raises(ValueError, match="churn must be a number, at least 0"):
        reverse(path.score(two_modes()), path, -1.0)
    with pytest.raises(ValueError, match="sigma must be a number"):
        preconditioning(0.0, 1.0)
    with pytest.raises(ValueError, match="sigma_max must be a number"):
        exploding_path(0.0)
    with pytest.raises(ValueError, match="x and target must have one shape"):
        score_loss(Smooth(1), x, x.T)
    with pytest.raises(ValueError, match="states must be"):
        straightness(torch.ones(3, 2, 2), [1.0, 0.0])


def test_a_bad_way_is_refused(generator):
    still = flow(lambda x, t: 0 * x)
    x = torch.ones(2, 1)
    for times in ([], [1.0], [1, 0.5, 0.5], [1, 0, 0.5], [0, 1, 0.5]):
        with pytest.raises(ValueError, match="times must rise, or fall"):
            list(euler_maruyama(still, x, times, generator=generator))
    with pytest.raises(ValueError, match="x must be finite"):
        list(euler_maruyama(still, x / 0, [1, 0], generator=generator))

    def breaks(x, t):
        return (x / 0 if t == 0.5 else 0 * x), 0.0

    with pytest.raises(FloatingPointError, match=r"after t = 0\.5"):
        list(euler_maruyama(breaks, x, [1, 0.5, 0], generator=generator))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_states_keep_their_dtype(dtype, generator):
    path, mixture = linear_path(), two_modes()
    x = torch.ones(1, 1, dtype=dtype)
    back = reverse(path.score(mixture), path)
    run = euler_maruyama(back, x, [1, 0.5, 0.1], generator=generator)
    assert [state.dtype for state in run] == [dtype] * 3
