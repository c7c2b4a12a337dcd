"""The oracle, held against autograd, quadrature and simulation."""

import itertools
import math

import pytest
import torch

from diffusion_lite.data import eight_modes, two_modes
from diffusion_lite.forward import q_sample
from diffusion_lite.mixtures import GaussianMixture, gaussian_fit, kl_to_normal
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from mutants import mutant, negated

SCHEDULE = cosine_schedule(100)
LINE = torch.linspace(-12, 12, 20_001, dtype=torch.float64)[:, None]


def skewed():
    """Return a 2-D mixture with full, different covariances."""
    return GaussianMixture(
        torch.tensor([0.2, 0.5, 0.3]),
        torch.tensor([[0.0, 1.0], [2.0, -1.0], [-1.0, -1.0]]),
        torch.tensor(
            [
                [[1.0, 0.6], [0.6, 0.5]],
                [[0.2, -0.1], [-0.1, 0.3]],
                [[0.05, 0.0], [0.0, 2.0]],
            ]
        ),
    )


def integral(values, x):
    return torch.trapezoid(values, x[:, 0])


def test_log_prob_against_torch_distributions(generator):
    mixture = skewed()
    torch_law = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(mixture.weights),
        torch.distributions.MultivariateNormal(
            mixture.means, mixture.covariances
        ),
    )
    x = 2 * torch.randn(50, 2, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(mixture.log_prob(x), torch_law.log_prob(x))


def test_log_prob_far_away_is_finite():
    x = torch.tensor([[1e4, -1e4]])
    assert torch.isfinite(eight_modes().log_prob(x)).all()
    assert torch.isfinite(eight_modes().score(x)).all()


def test_component_probs_are_calibrated(generator):
    # Of the points that are called component 0 with probability p, a share
    # p must come from it: draw each component apart, and count.
    mixture, n = skewed(), 200_000
    parts = [
        GaussianMixture(
            torch.ones(1),
            mixture.means[k : k + 1],
            mixture.covariances[k : k + 1],
        ).sample(int(n * mixture.weights[k]), generator=generator)
        for k in range(3)
    ]
    p = mixture.responsibilities(torch.cat(parts))
    torch.testing.assert_close(p.sum(1), torch.ones(len(p)).double())
    came_from_0 = torch.arange(len(p)) < len(parts[0])
    for low in (0.1, 0.4, 0.8):
        called = (p[:, 0] >= low) & (p[:, 0] < low + 0.1)
        share = came_from_0[called].double()
        error = float(share.std()) / len(share) ** 0.5
        assert abs(float(share.mean() - p[called, 0].mean())) < 4 * error


def test_score_is_autograd_of_log_prob(generator):
    for mixture in (skewed(), skewed().noised(40, SCHEDULE)):
        x = 2 * torch.randn(50, 2, generator=generator, dtype=torch.float64)
        x.requires_grad_()
        (grad,) = torch.autograd.grad(mixture.log_prob(x).sum(), x)
        torch.testing.assert_close(mixture.score(x).detach(), grad)


def test_sample_has_the_mixtures_moments(generator):
    mixture, n = skewed(), 200_000
    x = mixture.sample(n, generator=generator)
    mean = mixture.weights @ mixture.means
    offset = mixture.means - mean
    covariance = torch.einsum(
        "k,kde->de", mixture.weights, mixture.covariances
    )
    covariance += torch.einsum("k,kd,ke->de", mixture.weights, offset, offset)
    error = (covariance.diagonal() / n).sqrt()
    assert ((x.mean(0) - mean).abs() < 4 * error).all()
    torch.testing.assert_close(x.T.cov(), covariance, rtol=0.02, atol=0.02)


def test_sample_repeats_with_its_seed():
    draws = [
        skewed().sample(5, generator=torch.Generator().manual_seed(s))
        for s in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def noised_without_the_root(right, self, t, schedule):
    means = schedule.alpha_bar[t] * self.means
    covariances = right(self, t, schedule).covariances
    return GaussianMixture(self.weights, means, covariances)


@mutant(
    "4: a mixture noised without the root",
    (GaussianMixture, "noised"),
    noised_without_the_root,
)
@pytest.mark.equation(
    "eq-mixture-noised", oracle="quadrature over x_0, density at x_t"
)
@pytest.mark.parametrize("t", [1, 30, 99])
def test_noised_density_by_quadrature(t):
    # q(x_t) = integral of q(x_t | x_0) p(x_0) d x_0, on a grid of x_0
    mixture = two_modes()
    alpha_bar = SCHEDULE.alpha_bar[t]
    for x_t in (-1.0, 0.2, 1.5):
        q = torch.distributions.Normal(
            alpha_bar.sqrt() * LINE[:, 0], (1 - alpha_bar).sqrt()
        )
        joint = mixture.log_prob(LINE) + q.log_prob(torch.tensor(x_t))
        expected = integral(joint.exp(), LINE)
        x_t = torch.tensor([[x_t]])
        got = mixture.noised(t, SCHEDULE).log_prob(x_t).exp()[0]
        torch.testing.assert_close(got, expected, rtol=1e-8, atol=0)


def test_noised_at_0_and_T():
    mixture = skewed()
    assert torch.equal(mixture.noised(0, SCHEDULE).means, mixture.means)
    end = mixture.noised(100, SCHEDULE)
    eye = torch.eye(2, dtype=torch.float64).expand(3, 2, 2)
    torch.testing.assert_close(end.covariances, eye, rtol=0, atol=1e-5)
    torch.testing.assert_close(end.means, 0 * mixture.means, rtol=0, atol=2e-3)


@mutant(
    "8: the sign of the best denoiser",
    (GaussianMixture, "optimal_eps"),
    negated,
)
@pytest.mark.equation("eq-tweedie", oracle="quadrature over x_0")
@pytest.mark.parametrize("t", [1, 30, 99])
def test_eps_by_quadrature(t):
    # E[eps | x_t], with eps = (x_t - sqrt(alpha_bar) x_0) / sqrt(1 - ...)
    mixture = two_modes()
    alpha_bar = SCHEDULE.alpha_bar[t]
    for place in (-1.0, 0.2, 1.5):
        eps = (place - alpha_bar.sqrt() * LINE) / (1 - alpha_bar).sqrt()
        log_joint = mixture.log_prob(LINE) - eps[:, 0].square() / 2
        weight = (log_joint - log_joint.max()).exp()
        total = integral(weight, LINE)
        mean = integral(weight * eps[:, 0], LINE) / total
        second = integral(weight * eps[:, 0].square(), LINE) / total
        x_t = torch.tensor([[place]], dtype=torch.float64)
        torch.testing.assert_close(
            mixture.optimal_eps(x_t, t, SCHEDULE)[0, 0],
            mean,
            rtol=1e-7,
            atol=1e-9,
        )
        torch.testing.assert_close(
            mixture.eps_variance(x_t, t, SCHEDULE)[0],
            second - mean**2,
            rtol=1e-6,
            atol=1e-9,
        )


def test_eps_takes_one_t_for_each_row(generator):
    mixture = skewed()
    x_t = torch.randn(3, 2, generator=generator)
    t = torch.tensor([0, 50, 100])
    together = mixture.optimal_eps(x_t, t, SCHEDULE)
    assert together.dtype == torch.float32
    for i in range(3):
        alone = mixture.optimal_eps(x_t[i : i + 1], int(t[i]), SCHEDULE)
        torch.testing.assert_close(together[i : i + 1], alone)
    assert torch.equal(together[0], torch.zeros(2))


@pytest.mark.equation("eq-floor", oracle="a simulation of the loss")
@pytest.mark.parametrize("t", [1, 20, 60, 100])
def test_the_loss_is_the_floor_and_the_distance_to_the_best(t, generator):
    mixture, n = skewed(), 100_000
    floor, _ = mixture.bayes_loss(t, SCHEDULE, generator=generator, n=n)
    x_0 = mixture.sample(n, generator=generator)
    eps = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    x_t = q_sample(x_0, t, eps, SCHEDULE)
    best = mixture.optimal_eps(x_t, t, SCHEDULE)
    guess = 0.8 * best + 0.1 * x_t - 0.2  # any other denoiser
    loss = (eps - guess).square().mean(1)
    distance = (guess - best).square().mean(1)
    error = float((loss - distance).std()) / n**0.5
    off = float(loss.mean() - distance.mean() - floor)
    assert abs(off) < 5 * error + 1e-12


@mutant(
    "18: a floor of 0",
    (GaussianMixture, "bayes_loss"),
    lambda self, t, schedule, generator: torch.zeros(2).double(),
)
@pytest.mark.parametrize("t", [1, 20, 60, 100])
def test_floor_is_the_best_denoisers_error(t, generator):
    # The floor averages an exact variance; here the error itself is drawn.
    mixture, n = skewed(), 100_000
    floor, floor_error = mixture.bayes_loss(t, SCHEDULE, generator=generator)
    x_0 = mixture.sample(n, generator=generator)
    eps = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    x_t = q_sample(x_0, t, eps, SCHEDULE)
    loss = (eps - mixture.optimal_eps(x_t, t, SCHEDULE)).square().mean(1)
    error = math.hypot(float(loss.std()) / n**0.5, float(floor_error))
    assert abs(float(loss.mean() - floor)) < 4 * error + 1e-12


def test_floor_by_quadrature_and_its_stated_error(generator):
    mixture, t = two_modes(), 40
    q_t = mixture.noised(t, SCHEDULE)
    exact = integral(
        q_t.log_prob(LINE).exp() * mixture.eps_variance(LINE, t, SCHEDULE),
        LINE,
    )
    floor, error = mixture.bayes_loss(t, SCHEDULE, generator=generator)
    assert floor.shape == error.shape == ()
    assert abs(float(floor - exact)) < 4 * float(error)
    floors = torch.stack(
        [
            mixture.bayes_loss(t, SCHEDULE, generator=generator, n=500)[0]
            for _ in range(200)
        ]
    )  # the error is what it says
    _, error = mixture.bayes_loss(t, SCHEDULE, generator=generator, n=500)
    assert float(floors.std() / error) == pytest.approx(1, abs=0.25)


def test_floor_of_a_gaussian_in_closed_form(generator):
    # x_0 ~ N(0, c): Var(eps | x_t) = alpha_bar c / (alpha_bar c + 1 - ...)
    mixture = GaussianMixture(
        torch.ones(1), torch.zeros(1, 1), torch.tensor([[[0.25]]])
    )
    t = torch.tensor([1, 50, 100])
    alpha_bar = SCHEDULE.alpha_bar[t]
    expected = alpha_bar / 4 / (alpha_bar / 4 + 1 - alpha_bar)
    floor, error = mixture.bayes_loss(t, SCHEDULE, generator=generator, n=10)
    torch.testing.assert_close(floor, expected)
    torch.testing.assert_close(error, torch.zeros(3).double())


def test_floor_starts_at_one_for_smooth_data(generator):
    # ERRORS: "small t is easy for noise prediction" is the wrong way round
    mixture = eight_modes()
    t = torch.tensor([1, 100])
    floor, _ = mixture.bayes_loss(
        t, linear_schedule(1000), generator=generator
    )
    assert floor[0] > 0.95
    last, _ = mixture.bayes_loss(
        1000, linear_schedule(1000), generator=generator
    )
    assert last < 1e-3


def test_moments_are_those_of_many_draws(generator):
    mixture, n = skewed(), 400_000
    x = mixture.sample(n, generator=generator)
    torch.testing.assert_close(mixture.mean, x.mean(0), rtol=0, atol=0.01)
    torch.testing.assert_close(
        mixture.covariance, x.T.cov(), rtol=0, atol=0.02
    )


@pytest.mark.equation(
    "eq-reverse-mixture", oracle="Bayes' rule: a ratio of densities"
)
@pytest.mark.parametrize("t", [1, 2, 50, 100])
def test_reverse_is_bayes_rule_at_every_place(t, generator):
    # q(x_s | x_t) = q(x_t | x_s) q(x_s) / q(x_t), in two dimensions
    mixture = skewed()
    x_t = mixture.noised(t, SCHEDULE).sample(1, generator=generator)
    reverse = mixture.reverse(x_t[0], t, SCHEDULE)
    x_s = reverse.sample(50, generator=generator)
    alpha, beta = SCHEDULE.alpha[t], SCHEDULE.beta[t]
    step = torch.distributions.Normal(alpha.sqrt() * x_s, beta.sqrt())
    expected = (
        step.log_prob(x_t).sum(1)
        + mixture.noised(t - 1, SCHEDULE).log_prob(x_s)
        - mixture.noised(t, SCHEDULE).log_prob(x_t)
    )
    torch.testing.assert_close(reverse.log_prob(x_s), expected)


def test_reverse_far_away_and_in_tiny_steps():
    far = torch.full((2,), 1e3, dtype=torch.float64)
    assert torch.isfinite(skewed().reverse(far, 50, SCHEDULE).mean).all()
    short = linear_schedule(100_000)
    line = two_modes().reverse(torch.zeros(1).double(), 500, short)
    # so short a step is a Gaussian of variance beta
    ratio = float(line.covariance) / float(short.beta[500])
    assert ratio == pytest.approx(1, abs=1e-3)


def test_the_cost_of_a_gaussian_step_back_is_what_taylor_says():
    # The shape costs beta^3 q_3^2 / 12, and the variance beta^2 (1 + q_2)^2
    # / 4, where q_2 and q_3 are derivatives of log q(x_s).
    mixture, schedule, t = two_modes(), linear_schedule(2000), 500
    beta, before = float(schedule.beta[t]), mixture.noised(t - 1, schedule)
    for x_t in (-1.5, 0.1, 0.9):
        c = torch.tensor([[x_t]], dtype=torch.float64, requires_grad=True)
        (q_1,) = torch.autograd.grad(
            before.log_prob(c).sum(), c, create_graph=True
        )
        (q_2,) = torch.autograd.grad(q_1.sum(), c, create_graph=True)
        (q_3,) = torch.autograd.grad(q_2.sum(), c)
        step = mixture.reverse(c.detach()[0], t, schedule)
        mean, variance = float(step.mean), float(step.covariance)
        shape = beta**3 * q_3.item() ** 2 / 12
        wrong = beta**2 * (1 + q_2.item()) ** 2 / 4
        exact = kl_to_normal(step, mean, variance)
        assert exact == pytest.approx(shape, rel=0.05)
        assert kl_to_normal(step, mean, beta) == pytest.approx(wrong, rel=0.05)


def test_reverse_bad_input():
    mixture = skewed()
    with pytest.raises(ValueError, match=r"one row, must be \(B, 2\), got"):
        mixture.reverse(torch.zeros(3), 1, SCHEDULE)
    with pytest.raises(ValueError, match="x_t must be finite"):
        mixture.reverse(torch.full((2,), math.nan), 1, SCHEDULE)
    for t in (0, 101, torch.tensor([1, 2])):
        with pytest.raises(ValueError, match="t must be"):
            mixture.reverse(torch.zeros(2), t, SCHEDULE)


def test_kl_to_normal_between_two_gaussians_in_closed_form():
    p = GaussianMixture(
        torch.ones(1),
        torch.tensor([[0.7]], dtype=torch.float64),
        torch.tensor([[[1e-6]]], dtype=torch.float64),
    )
    ratio, distance = 1e-6 / 2e-6, (0.7 - 0.701) ** 2 / 2e-6
    expected = (ratio - 1 - math.log(ratio) + distance) / 2
    got = kl_to_normal(p, 0.701, 2e-6)
    assert got == pytest.approx(expected, rel=1e-5)


@pytest.mark.equation("eq-linear-denoiser", oracle="least squares")
def test_gaussian_fit_has_the_moments_and_the_best_linear_denoiser(generator):
    x = skewed().sample(50_000, generator=generator).float()
    fit = gaussian_fit(x)
    torch.testing.assert_close(fit.mean, x.double().mean(0))
    torch.testing.assert_close(fit.covariance, x.double().T.cov())
    # least squares finds the same denoiser from examples
    t = 40
    eps = torch.randn(x.shape, generator=generator)
    x_t = q_sample(x, t, eps, SCHEDULE)
    rows = torch.cat([x_t, torch.ones(len(x), 1)], 1).double()
    best = torch.linalg.lstsq(rows, eps.double()).solution
    places = torch.tensor([[0.0, 0.0], [1.0, -2.0]])
    expected = torch.cat([places, torch.ones(2, 1)], 1).double() @ best
    got = fit.optimal_eps(places.double(), t, SCHEDULE)
    torch.testing.assert_close(got, expected, rtol=0, atol=0.03)


@pytest.mark.equation("eq-linear-loss", oracle="the residual of least squares")
def test_the_best_linear_denoisers_loss(generator):
    x = skewed().sample(100_000, generator=generator)
    t = 40
    eps = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    x_t = q_sample(x, t, eps, SCHEDULE)
    rows = torch.cat([x_t, torch.ones(len(x), 1).double()], 1)
    best = torch.linalg.lstsq(rows, eps).solution
    residual = (rows @ best - eps).square().mean()
    losses = gaussian_fit(x).eps_variance(x_t[:5], t, SCHEDULE)
    torch.testing.assert_close(
        losses, residual.expand(5), rtol=0.02, atol=0
    )  # the same at every x_t


def test_gaussian_fit_bad_input():
    with pytest.raises(ValueError, match=r"x must be \(N, D\), N > 1, got"):
        gaussian_fit(torch.ones(3))
    with pytest.raises(ValueError, match="positive definite"):
        gaussian_fit(torch.ones(5, 2))


@pytest.mark.equation("eq-kl-to-noise", oracle="closed form, one Gaussian")
def test_kl_to_normal_of_one_gaussian_in_closed_form():
    mean, variance = 0.7, 0.3
    mixture = GaussianMixture(
        torch.ones(1), torch.tensor([[mean]]), torch.tensor([[[variance]]])
    )
    expected = (variance + mean**2 - 1 - math.log(variance)) / 2
    assert kl_to_normal(mixture) == pytest.approx(expected, rel=1e-6)


def test_kl_to_normal_by_monte_carlo_and_at_the_end(generator):
    mixture, n = two_modes(), 200_000
    x = mixture.sample(n, generator=generator)
    log_noise = -(x[:, 0].square() + math.log(2 * math.pi)) / 2
    ratio = mixture.log_prob(x) - log_noise
    error = float(ratio.std()) / n**0.5
    assert abs(kl_to_normal(mixture) - float(ratio.mean())) < 4 * error
    kls = [kl_to_normal(mixture.noised(t, SCHEDULE)) for t in range(101)]
    assert all(a > b for a, b in itertools.pairwise(kls))
    assert 0 <= kls[-1] < 1e-12


def test_kl_to_normal_wants_a_line():
    with pytest.raises(ValueError, match="must be 1-D, got"):
        kl_to_normal(eight_modes())
    with pytest.raises(ValueError, match=r"variance must be .* got 0"):
        kl_to_normal(two_modes(), 0.0, 0.0)


GOOD = {
    "weights": [0.5, 0.5],
    "means": [[0.0], [1.0]],
    "covariances": [[[1.0]], [[1.0]]],
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("weights", [0.5, 0.6], "sum to 1, got .* with sum 1.1"),
        ("weights", [1.5, -0.5], "weights must be positive"),
        ("weights", [1.0, 0.0], "weights must be positive"),
        ("weights", [1.0], r"\(K,\), \(K, D\) and \(K, D, D\), got \(1,\)"),
        ("means", [0.0, 1.0], r"got \(2,\), \(2,\) and \(2, 1, 1\)"),
        ("means", [[0.0], [math.nan]], "means must be finite"),
        ("covariances", [[[1.0]]], r"and \(1, 1, 1\)"),
        ("covariances", [[[1.0]], [[0.0]]], "eigenvalue 0 of covariances"),
        ("covariances", [[[1.0]], [[-1.0]]], "must be positive definite"),
    ],
)
def test_bad_mixtures_are_named(name, value, message):
    arguments = {k: torch.tensor(v) for k, v in GOOD.items()}
    arguments[name] = torch.tensor(value)
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**arguments)


def test_a_covariance_that_is_not_symmetric_is_named():
    with pytest.raises(ValueError, match=r"symmetric, got covariances\[0\]"):
        GaussianMixture(
            torch.ones(1),
            torch.zeros(1, 2),
            torch.tensor([[[1.0, 0.5], [0.2, 1.0]]]),
        )


def test_bad_points_are_named(generator):
    mixture = eight_modes()
    with pytest.raises(ValueError, match=r"x must be \(B, 2\), got"):
        mixture.log_prob(torch.ones(3, 1))
    with pytest.raises(ValueError, match="x must be finite"):
        mixture.score(torch.tensor([[math.nan, 0.0]]))
    with pytest.raises(ValueError, match="t must be"):
        mixture.optimal_eps(torch.ones(1, 2), 101, SCHEDULE)
    with pytest.raises(ValueError, match=r"n must be .* at least 1, got 0"):
        mixture.sample(0, generator=generator)
    for t in (None, "1", 1.0, 101):
        with pytest.raises(ValueError, match="t must be"):
            mixture.bayes_loss(t, SCHEDULE, generator=generator)
    with pytest.raises(
        ValueError, match=r"entries of t must be .* at least 1, got 0"
    ):
        mixture.bayes_loss(
            torch.zeros(0).long(), SCHEDULE, generator=generator
        )
    with pytest.raises(ValueError, match="t must be a single number"):
        mixture.noised(torch.tensor([1, 2]), SCHEDULE)
    with pytest.raises(ValueError, match=r"n must be .* at least 2, got 1"):
        mixture.bayes_loss(1, SCHEDULE, generator=generator, n=1)
    assert mixture.dim == 2
