"""The game of two numbers: closed forms against losses, and long runs."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from diffusion_lite.dirac_gan import (
    alternating_step,
    bowl_loss,
    consensus_eigenvalues,
    dirac_value,
    minimax,
    non_saturating,
    orbit,
    r1_eigenvalues,
    simultaneous_growth,
    simultaneous_step,
    wasserstein,
    with_consensus,
    with_r1,
)
from diffusion_lite.elbo import simple_loss
from diffusion_lite.gan import gan_value, generator_loss, r1_penalty
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from mutants import mutant

POINTS = [(0.7, -0.4), (-1.3, 0.9), (2.0, 1.5), (0.1, 0.2)]


class Line(torch.nn.Module):
    """The discriminator: a logit psi x, for x (B, 1)."""

    def __init__(self, psi):
        super().__init__()
        self.psi = psi

    def forward(self, x):
        """Return the logits, (B, 1)."""
        return self.psi * x


def players(theta, psi):
    return [
        torch.tensor(x, dtype=torch.float64, requires_grad=True)
        for x in (theta, psi)
    ]


def value(theta, psi):
    """Return the game's value, of one real point at 0 and a fake at theta."""
    discriminator = Line(psi)
    real, fake = torch.zeros(1, 1).double(), theta.reshape(1, 1)
    return gan_value(discriminator(real), discriminator(fake))


def slopes(function, *at):
    return [float(v) for v in torch.autograd.grad(function(*at), at)]


def pulls(velocity, theta, psi):
    at = (torch.tensor(x, dtype=torch.float64) for x in (theta, psi))
    return [float(v) for v in velocity(*at)]


def matrix(map_):
    """Return the Jacobian of a map of the plane at 0, by differences."""
    eps, columns = 1e-6, []
    for i in range(2):
        ends = []
        for sign in (1, -1):
            at = [torch.tensor(0.0).double() for _ in range(2)]
            at[i] += sign * eps
            ends.append(np.array([float(v) for v in map_(*at)]))
        columns.append((ends[0] - ends[1]) / (2 * eps))
    return np.stack(columns, 1)


def same(found, expected, tol=1e-5):
    """Whether two sets of complex numbers agree in any order."""
    found, expected = (
        sorted(np.asarray(x), key=lambda z: (round(z.real, 4), z.imag))
        for x in (found, expected)
    )
    return np.allclose(found, expected, atol=tol)


@mutant(
    "a logit that is large for fakes",
    dirac_value,
    lambda right, theta, psi: right(theta, -psi),
)
@pytest.mark.equation("eq-dirac-value", oracle="gan_value of its three points")
@pytest.mark.parametrize("at", POINTS)
def test_the_value_is_that_of_the_game(at):
    theta, psi = players(*at)
    found = dirac_value(theta, psi).detach()
    assert float(found) == pytest.approx(float(value(theta, psi).detach()))


def with_the_other_sigmoid(right, theta, psi):
    d_theta, d_psi = right(-theta, psi)
    return d_theta, -d_psi


@mutant(
    "the players swapped",
    minimax,
    lambda right, *at: tuple(-v for v in right(*at)),
)
@mutant("the other sigmoid", minimax, with_the_other_sigmoid)
@pytest.mark.equation("eq-dirac-minimax", oracle="autograd of the value")
@pytest.mark.parametrize("at", POINTS)
def test_minimax_goes_up_and_down_the_value(at):
    d_theta, d_psi = slopes(value, *players(*at))
    assert pulls(minimax, *at) == pytest.approx([-d_theta, d_psi])


def generator_that_goes_up(right, theta, psi):
    d_theta, d_psi = right(theta, psi)
    return -d_theta, d_psi


@mutant(
    "a generator that goes the wrong way",
    non_saturating,
    generator_that_goes_up,
)
@pytest.mark.equation(
    "eq-dirac-non-saturating", oracle="autograd of both players' losses"
)
@pytest.mark.parametrize("at", POINTS)
def test_non_saturating_goes_down_the_generators_loss(at):
    theta, psi = players(*at)
    down, _ = slopes(
        lambda a, b: generator_loss(Line(b)(a.reshape(1, 1))), theta, psi
    )
    _, up = slopes(value, theta, psi)
    assert pulls(non_saturating, *at) == pytest.approx([-down, up])


@mutant(
    "a Wasserstein generator that goes up",
    wasserstein,
    lambda theta, psi: (-psi, -theta),
)
def test_wasserstein_turns_at_full_speed():
    assert pulls(wasserstein, 0.3, -2.0) == [-2.0, -0.3]


def r1_on_both_players(right, velocity, gamma):
    def penalised(theta, psi):
        d_theta, d_psi = right(velocity, gamma)(theta, psi)
        return d_theta - gamma * theta, d_psi

    return penalised


@mutant(
    "R1 without its half",
    with_r1,
    lambda right, velocity, gamma: right(velocity, 2 * gamma),
)
@mutant("R1 on the generator too", with_r1, r1_on_both_players)
@pytest.mark.equation("eq-dirac-r1", oracle="autograd of r1_penalty")
@pytest.mark.parametrize("at", POINTS)
def test_r1_pulls_psi_alone(at):
    _, psi = players(*at)
    real = torch.zeros(3, 1).double()
    (push,) = torch.autograd.grad(0.35 * r1_penalty(Line(psi), real), psi)
    before, after = pulls(minimax, *at), pulls(with_r1(minimax, 0.7), *at)
    assert after[0] == before[0]
    assert after[1] == pytest.approx(before[1] - float(push))


@mutant(
    "consensus that goes up the speed",
    with_consensus,
    lambda right, velocity, gamma: right(velocity, -gamma),
)
@pytest.mark.parametrize("game", [minimax, non_saturating, wasserstein])
def test_consensus_goes_down_the_speed(game):
    def speed(theta, psi):
        return sum(v**2 for v in pulls(game, theta, psi)) / 2

    (theta, psi), h = (0.7, -0.4), 1e-5
    slope = (
        (speed(theta + h, psi) - speed(theta - h, psi)) / (2 * h),
        (speed(theta, psi + h) - speed(theta, psi - h)) / (2 * h),
    )
    expected = [
        v - 0.3 * s
        for v, s in zip(pulls(game, theta, psi), slope, strict=True)
    ]
    found = pulls(with_consensus(game, 0.3), theta, psi)
    assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.equation("eq-dirac-circle", oracle="a run of 20,000 tiny steps")
@pytest.mark.parametrize("game", [minimax, wasserstein])
def test_in_small_steps_the_game_circles(game):
    points = orbit(simultaneous_step, game, (1.0, 0.5), 1e-3, 20_000)
    radius = points.norm(dim=1)
    assert float(radius.min()) > 0.999 * float(radius[0])
    assert float(radius.max()) < 1.02 * float(radius[0])
    turned = torch.atan2(points[:, 0], points[:, 1])
    assert float(turned.max() - turned.min()) > 6.2  # all the way round


@mutant(
    "the saturating loss for the non-saturating one", non_saturating, minimax
)
@pytest.mark.equation(
    "eq-dirac-creep", oracle="the slope of a run of tiny steps"
)
def test_the_non_saturating_game_creeps_in():
    points = orbit(simultaneous_step, non_saturating, (1.0, 0.5), 1e-4, 200)
    squared = points.square().sum(1)
    u = float(points[100].prod())
    measured = float(squared[110] - squared[90]) / (20 * 1e-4)
    assert measured == pytest.approx(-2 * u * math.tanh(u / 2), rel=1e-2)
    # And it slows down: r^2 falls like 8 / t.
    late = orbit(alternating_step, non_saturating, (1.0, 1.0), 0.02, 40_000)
    mean = float(late[-4000:].square().sum(1).mean())
    assert mean == pytest.approx(8 / (0.02 * 38_000), rel=0.15)


@pytest.mark.equation(
    "eq-dirac-growth", oracle="numpy's eigenvalues of one step at 0"
)
@pytest.mark.parametrize("h", [0.05, 0.5, 2.0])
@pytest.mark.parametrize(
    ("game", "rates"),
    [
        (minimax, torch.tensor([0.5j, -0.5j])),
        (non_saturating, torch.tensor([0.5j, -0.5j])),
        (wasserstein, torch.tensor([1j, -1j])),
        (with_r1(minimax, 0.6), r1_eigenvalues(0.6)),
        (with_r1(wasserstein, 3.0), r1_eigenvalues(3.0, turn=1.0)),
        (with_consensus(minimax, 0.6), consensus_eigenvalues(0.6)),
    ],
)
def test_growth_is_the_steps_spectral_radius(game, rates, h):
    step = matrix(lambda a, b: simultaneous_step(game, a, b, h))
    radius = abs(np.linalg.eigvals(step)).max()
    assert simultaneous_growth(rates, h) == pytest.approx(radius, abs=1e-5)


@mutant(
    "a step that knows of the other's", simultaneous_step, alternating_step
)
@mutant(
    "a step's growth from continuous time",
    simultaneous_growth,
    lambda eigenvalues, h: float((h * eigenvalues).exp().abs().max()),
)
@mutant(
    "a step's growth from the real part alone",
    simultaneous_growth,
    lambda eigenvalues, h: float((1 + h * eigenvalues.real).abs().max()),
)
def test_simultaneous_steps_run_away_at_every_size():
    for h in (0.01, 0.1, 1.0):
        factor = simultaneous_growth(torch.tensor([0.5j, -0.5j]), h)
        assert factor == pytest.approx(math.sqrt(1 + h**2 / 4))
        points = orbit(simultaneous_step, minimax, (1e-3, 0.0), h, 50)
        grown = float(points[-1].norm() / points[0].norm())
        assert grown == pytest.approx(factor**50, rel=2e-2)


@mutant(
    "a turn that does not know of the other's",
    alternating_step,
    simultaneous_step,
)
@pytest.mark.equation(
    "eq-dirac-alternating", oracle="numpy's eigenvalues, and a long run"
)
def test_alternating_steps_circle_up_to_a_size():
    for h, inside in ((0.1, True), (1.0, True), (3.9, True), (4.1, False)):
        step = matrix(lambda a, b, h=h: alternating_step(minimax, a, b, h))
        eigenvalues = np.linalg.eigvals(step)
        assert abs(np.linalg.det(step)) == pytest.approx(1, abs=1e-6)
        trace = 2 - h**2 / 4
        assert np.trace(step) == pytest.approx(trace, abs=1e-5)
        assert (abs(eigenvalues).max() < 1 + 1e-4) == inside
    points = orbit(alternating_step, minimax, (0.01, 0.0), 0.5, 5000)
    radius = points.norm(dim=1)
    assert float(radius.min() / radius.max()) > 0.8


def test_the_non_saturating_game_ends_on_a_circle():
    """Steps push out by h^2 / 4, the creep pulls in by h r^2 / 8."""
    for h in (0.05, 0.2):
        points = orbit(simultaneous_step, non_saturating, (0.1, 0), h, 60_000)
        squared = float(points[-5000:].square().sum(1).mean())
        assert squared == pytest.approx(2 * h, rel=0.1)


@mutant(
    "R1's rates with gamma for its half",
    r1_eigenvalues,
    lambda right, gamma, turn: right(2 * gamma, turn),
)
@pytest.mark.equation(
    "eq-dirac-r1-rates", oracle="numpy's eigenvalues of differences at 0"
)
@pytest.mark.parametrize("gamma", [0.0, 0.4, 1.0, 2.5])
def test_r1s_rates_are_its_eigenvalues(gamma):
    for game, turn in (
        (minimax, 0.5),
        (non_saturating, 0.5),
        (wasserstein, 1),
    ):
        exact = np.linalg.eigvals(matrix(with_r1(game, gamma)))
        found = r1_eigenvalues(gamma, turn).numpy()
        # At gamma = 2 turn two rates meet, and differences see half digits.
        assert same(found, exact, tol=2e-3)


def test_r1_is_best_at_twice_the_turn():
    slowest = [
        float(r1_eigenvalues(g).real.max())
        for g in (0.8, 0.99, 1.0, 1.01, 1.5)
    ]
    assert min(slowest) == slowest[2] == -0.5


@mutant(
    "consensus's rates with the turn not squared",
    consensus_eigenvalues,
    lambda right, gamma, turn: right(gamma / turn, turn),
)
def test_consensus_rates_are_its_eigenvalues():
    for game, turn in ((minimax, 0.5), (wasserstein, 1.0)):
        exact = np.linalg.eigvals(matrix(with_consensus(game, 0.7)))
        assert same(consensus_eigenvalues(0.7, turn).numpy(), exact)


@pytest.mark.parametrize(
    "game", [with_r1(minimax, 0.5), with_consensus(non_saturating, 0.5)]
)
def test_with_a_penalty_the_game_ends(game):
    points = orbit(alternating_step, game, (1.5, -1.0), 0.2, 500)
    assert float(points[-1].norm()) < 1e-3


@mutant(
    "a bowl of alpha_bar",
    bowl_loss,
    lambda theta, t, schedule: schedule.alpha_bar[t] * theta**2,
)
@pytest.mark.equation(
    "eq-dirac-bowl", oracle="simple_loss of the family's own denoiser"
)
@pytest.mark.parametrize(
    "schedule", [linear_schedule(50), cosine_schedule(20)]
)
@pytest.mark.parametrize("t", [1, 7, 20])
def test_the_bowl_is_the_simple_loss(schedule, t, generator):
    theta, alpha_bar = 0.8, schedule.alpha_bar

    def eps_model(x_t, t):
        shift = alpha_bar[t].sqrt()[:, None] * theta
        return (x_t - shift) / (1 - alpha_bar[t]).sqrt()[:, None]

    eps = torch.randn(100, 1, generator=generator).double()
    found = simple_loss(
        eps_model, torch.zeros(100, 1).double(), t, eps, schedule
    )
    exact = bowl_loss(torch.tensor(theta, dtype=torch.float64), t, schedule)
    assert float(found) == pytest.approx(float(exact))


def test_descent_in_the_bowl_comes_in():
    schedule, theta = cosine_schedule(20), torch.tensor(1.0).double()
    for _ in range(100):
        theta.requires_grad_()
        (slope,) = torch.autograd.grad(bowl_loss(theta, 10, schedule), theta)
        theta = (theta - 0.1 * slope).detach()
    assert abs(float(theta)) < 1e-6
    # Every mixture of bowls is a bowl: its slope has one sign on each side.
    line = torch.linspace(-2, 2, 41).double()
    total = sum(bowl_loss(line, t, schedule) for t in range(1, 21))
    assert (total.diff().diff() > 0).all()


@pytest.mark.parametrize(("h", "steps"), [(0.0, 5), (-1.0, 5), (0.1, 0)])
def test_an_orbit_needs_steps(h, steps):
    with pytest.raises(ValueError, match=r"(h|steps) must be"):
        orbit(simultaneous_step, minimax, (1.0, 0.0), h, steps)


def test_the_bowl_needs_a_time():
    with pytest.raises(ValueError, match="from 1 to 20, got"):
        bowl_loss(torch.tensor(1.0), 0, cosine_schedule(20))


def test_the_value_has_a_saddle_at_the_end():
    """Along theta = psi it falls, along theta = -psi it rises."""
    middle = float(dirac_value(torch.tensor(0.0), torch.tensor(0.0)))
    a = torch.tensor(0.5)
    assert float(dirac_value(a, a)) < middle < float(dirac_value(a, -a))
    assert middle == pytest.approx(float(2 * F.logsigmoid(torch.zeros(()))))
