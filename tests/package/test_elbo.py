"""The bound's terms, against quadrature and exact likelihoods."""

import math

import pytest
import torch

from diffusion_lite.data import eight_modes, two_modes
from diffusion_lite.elbo import (
    bits_per_dim,
    dequantised_nll,
    discrete_log_prob,
    elbo_from_loss,
    elbo_loss,
    elbo_terms,
    elbo_weight,
    eps_error,
    loss_by_time,
    normal_kl,
    normal_log_prob,
    optimal_reverse_variance,
    prior_term,
    simple_loss,
    snr_weight,
    v_loss,
)
from diffusion_lite.forward import q_sample
from diffusion_lite.mixtures import GaussianMixture, kl_to_normal
from diffusion_lite.posterior import (
    forward_variance,
    posterior_mean,
    posterior_variance,
)
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from mutants import mutant, negated

SCHEDULE = linear_schedule(20)
LINE = torch.linspace(-9, 9, 2001, dtype=torch.float64)


def exact(mixture, schedule):
    """Return the distribution's best denoiser as an eps_model."""
    return lambda x_t, t: mixture.optimal_eps(x_t, t, schedule)


def double(*values):
    return [torch.tensor(v, dtype=torch.float64) for v in values]


@mutant(
    "9: a KL the other way round",
    normal_kl,
    lambda right, m_1, v_1, m_2, v_2: right(m_2, v_2, m_1, v_1),
)
@pytest.mark.equation("eq-normal-kl", oracle="quadrature")
@pytest.mark.parametrize(
    "arguments",
    [(0.0, 1.0, 0.0, 1.0), (1.0, 0.5, -0.3, 2.0), (0.0, 3.0, 0.1, 0.7)],
)
def test_normal_kl_by_quadrature(arguments):
    mean_1, variance_1, mean_2, variance_2 = double(*arguments)
    x = torch.linspace(-30, 30, 200_001, dtype=torch.float64)
    p = torch.distributions.Normal(mean_1, variance_1.sqrt())
    q = torch.distributions.Normal(mean_2, variance_2.sqrt())
    integrand = p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x))
    torch.testing.assert_close(
        normal_kl(mean_1, variance_1, mean_2, variance_2),
        torch.trapezoid(integrand, x),
        rtol=1e-8,
        atol=1e-12,
    )


def kl_that_goes_below_0(mean_1, variance_1, mean_2, variance_2):
    ratio = variance_1 / variance_2
    return (ratio - 1 - ratio.log() + (mean_1 - mean_2).abs()) / 2


@mutant("9: a KL that is no KL", normal_kl, kl_that_goes_below_0)
@pytest.mark.equation("eq-equal-kl", oracle="numbers done by hand")
def test_normal_kl_of_equal_variances_is_a_squared_distance():
    mean_1, mean_2, variance = double(1.0, 4.0, 0.5)
    kl = normal_kl(mean_1, variance, mean_2, variance)
    assert float(kl) == 3**2 / (2 * 0.5)


def test_normal_kl_is_never_negative_even_in_float32():
    variance = 1 + 1e-4 * torch.linspace(-1, 1, 10_001)
    zero, one = torch.zeros(1), torch.ones(1)
    assert float(normal_kl(zero, variance, zero, one).min()) >= 0


def test_normal_kl_bad_input():
    zero, one = torch.zeros(2), torch.ones(2)
    with pytest.raises(ValueError, match="variance_1 must be positive, got"):
        normal_kl(zero, -one, zero, one)
    with pytest.raises(ValueError, match="entry of 0"):
        normal_kl(zero, one, zero, zero)
    with pytest.raises(ValueError, match="variance_2 must be positive"):
        normal_kl(zero, one, zero, one * math.nan)


@mutant(
    "13: nats called bits",
    bits_per_dim,
    lambda nats, num_dims: nats / num_dims,
)
@pytest.mark.equation("eq-bits-per-dim", oracle="fair coins")
def test_bits_per_dim_of_a_fair_coin():
    assert bits_per_dim(64 * math.log(2), 64) == pytest.approx(1.0)
    assert float(bits_per_dim(torch.tensor(math.log(4)), 2)) == 1.0
    assert bits_per_dim(math.log(2), 1) == 1.0
    with pytest.raises(
        ValueError, match=r"num_dims must be .* at least 1, got 0"
    ):
        bits_per_dim(1.0, 0)


@pytest.mark.equation("eq-simple-loss", oracle="a sum in a plain loop")
def test_simple_loss_is_a_mean_of_squares(generator):
    x_0 = torch.randn(4, 3, generator=generator)
    eps = torch.randn(4, 3, generator=generator)
    t = torch.tensor([1, 5, 10, 20])
    seen = []

    def model(x_t, t):
        seen.append((x_t, t))
        return torch.ones_like(x_t)

    loss = simple_loss(model, x_0, t, eps, SCHEDULE)
    expected = sum((e - 1) ** 2 for e in eps.flatten().tolist()) / 12
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    rows = eps_error(model, x_0, t, eps, SCHEDULE)
    assert rows.shape == (4,)
    assert float(rows.mean()) == pytest.approx(float(loss), rel=1e-6)
    assert torch.equal(seen[0][0], q_sample(x_0, t, eps, SCHEDULE))
    assert torch.equal(seen[0][1], t)
    simple_loss(model, x_0, 7, eps, SCHEDULE)
    assert torch.equal(seen[2][1], torch.full((4,), 7))


def absolute_error(eps_model, x_0, t, eps, schedule):
    x_t = q_sample(x_0, t, eps, schedule)
    eps_hat = eps_model(x_t, torch.as_tensor(t).expand(len(x_t)))
    return (eps - eps_hat).abs().reshape(len(eps), -1).mean(1)


@mutant("21: L1 for the squared error", eps_error, absolute_error)
def test_simple_loss_of_the_best_denoiser_is_the_floor(generator):
    mixture, schedule = eight_modes(), cosine_schedule(100)
    x_0 = mixture.sample(50_000, generator=generator)
    eps = torch.randn(x_0.shape, generator=generator, dtype=torch.float64)
    errors = eps_error(exact(mixture, schedule), x_0, 30, eps, schedule)
    floor, floor_error = mixture.bayes_loss(30, schedule, generator=generator)
    error = math.hypot(float(errors.std()) / 50_000**0.5, float(floor_error))
    assert abs(float(errors.mean() - floor)) < 4 * error


def test_a_model_of_wrong_shape_is_named():
    x = torch.ones(2, 3)
    with pytest.raises(ValueError, match="eps_model must return x_t's shape"):
        simple_loss(lambda x_t, t: x_t[:, :1], x, 1, x, SCHEDULE)


def term_by_quadrature(mixture, t, variance):
    """Return L_{t-1} of the best denoiser, integrated over x_0 and x_t.

    Written with variances and expectations only: no posterior_mean, no
    normal_kl. The KL of two Gaussians is a mean of log-density ratios.
    """
    alpha_bar, beta = SCHEDULE.alpha_bar, float(SCHEDULE.beta[t])
    a_t, a_s = float(alpha_bar[t]), float(alpha_bar[t - 1])
    x_0, eps = LINE[:, None], LINE[None, ::10]
    weight = mixture.log_prob(LINE[:, None]).exp()[:, None] * torch.exp(
        -eps.square() / 2
    )
    weight = weight / weight.sum()
    x_t = math.sqrt(a_t) * x_0 + math.sqrt(1 - a_t) * eps
    eps_hat = mixture.optimal_eps(x_t.reshape(-1, 1), t, SCHEDULE).reshape(
        x_t.shape
    )
    # the two means differ by the noise that is not taken off rightly
    shift = beta / math.sqrt((1 - a_t) * (1 - beta)) * (eps - eps_hat)
    variance_p = float(variance(t, SCHEDULE))
    if t == 1:
        nats = shift.square() / variance_p + math.log(2 * math.pi * variance_p)
        return float((weight * nats).sum() / 2)
    ratio = beta * (1 - a_s) / (1 - a_t) / variance_p
    nats = ratio - 1 - math.log(ratio) + shift.square() / variance_p
    return float((weight * nats).sum() / 2)


@mutant("8: the sign of the bound", normal_kl, negated)
@pytest.mark.equation("eq-elbo-terms", oracle="quadrature over x_0 and x_t")
@pytest.mark.parametrize("variance", [forward_variance, posterior_variance])
def test_elbo_terms_by_quadrature(variance, generator):
    mixture, n = two_modes(), 40_000
    repeats = torch.stack(
        [
            elbo_terms(
                exact(mixture, SCHEDULE),
                mixture.sample(n // 8, generator=generator),
                SCHEDULE,
                generator=generator,
                variance=variance,
            )
            for _ in range(8)
        ]
    )
    terms, error = repeats.mean(0), repeats.std(0) / 8**0.5
    assert terms.shape == (21,)
    for t in (1, 2, 3, 10, 19, 20):
        used = forward_variance if t == 1 else variance
        expected = term_by_quadrature(mixture, t, used)
        off = abs(float(terms[t - 1]) - expected)
        assert off < 5 * float(error[t - 1]) + 1e-9, t


def test_prior_term_by_quadrature(generator):
    # unit variance on the average: the schedule's own closed form, in bits
    x_0 = two_modes().sample(200_000, generator=generator)
    nats = prior_term(x_0, SCHEDULE)
    expected = SCHEDULE.prior_bits * math.log(2)
    assert float(nats) == pytest.approx(expected, rel=0.05)
    last = elbo_terms(
        lambda x_t, t: x_t, x_0[:8], SCHEDULE, generator=generator
    )[-1]
    torch.testing.assert_close(last, prior_term(x_0[:8], SCHEDULE))


@pytest.mark.equation("eq-jensen", oracle="exact likelihoods")
@pytest.mark.parametrize(
    ("mixture", "n", "steps"),
    [(two_modes(), 60_000, (10, 40)), (eight_modes(), 4_000, (20, 80, 320))],
)
def test_the_sum_bounds_the_exact_nll_and_tightens_with_T(
    mixture, n, steps, generator
):
    x_0 = mixture.sample(n, generator=generator)
    nll = float(-mixture.log_prob(x_0).mean())
    gaps = []
    for T in steps:
        schedule = linear_schedule(T)
        model = exact(mixture, schedule)
        terms = elbo_terms(model, x_0, schedule, generator=generator)
        gaps.append(float(terms.sum()) - nll)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] > 0


@pytest.mark.equation("eq-chain-ratio", oracle="densities along trajectories")
@pytest.mark.equation("eq-telescope", oracle="densities along trajectories")
def test_the_terms_are_the_log_ratio_of_trajectories(generator):
    # E log q(x_1..x_T | x_0) / p(x_0..x_T), with no KL and no rearranging:
    # forward densities above, the model's backward densities below.
    mixture, n, T = two_modes(), 40_000, 6
    schedule = linear_schedule(T)
    x_0 = mixture.sample(n, generator=generator)
    path = [x_0]
    log_ratio = torch.zeros(n, dtype=torch.float64)
    for t in range(1, T + 1):
        noise = torch.randn(n, 1, generator=generator, dtype=torch.float64)
        beta, alpha = schedule.beta[t], schedule.alpha[t]
        path.append(alpha.sqrt() * path[-1] + beta.sqrt() * noise)
        step = torch.distributions.Normal(alpha.sqrt() * path[-2], beta.sqrt())
        log_ratio += step.log_prob(path[-1])[:, 0]
        # what p says of the same step, the other way round
        shift = beta * mixture.noised(t, schedule).score(path[-1])
        back = torch.distributions.Normal(
            (path[-1] + shift) / alpha.sqrt(), beta.sqrt()
        )
        log_ratio -= back.log_prob(path[-2])[:, 0]
    end = torch.distributions.Normal(0.0, 1.0)
    log_ratio -= end.log_prob(path[-1])[:, 0]
    terms = elbo_terms(
        exact(mixture, schedule), x_0, schedule, generator=generator
    )
    error = 2 * float(log_ratio.std()) / n**0.5
    assert abs(float(terms.sum() - log_ratio.mean())) < 4 * error


@pytest.mark.equation("eq-bound-distance", oracle="the bound and the entropy")
def test_the_bounds_distance_is_that_of_every_step_back():
    # The right side: exact reverse steps against the model's Gaussians.
    mixture, schedule = two_modes(), linear_schedule(6)
    line = torch.linspace(-7, 7, 701, dtype=torch.float64)[:, None]
    distance = kl_to_normal(mixture.noised(6, schedule))
    floor = [1.0]
    for t in range(1, 7):
        weight = mixture.noised(t, schedule).log_prob(line).softmax(0)
        floor.append(float(weight @ mixture.eps_variance(line, t, schedule)))
        for x_t, w in zip(line[::5], weight[::5].tolist(), strict=True):
            step = mixture.reverse(x_t, t, schedule)
            beta = float(schedule.beta[t])
            distance += 5 * w * kl_to_normal(step, float(step.mean), beta)
    # The left side: the bound, less the entropy of the data.
    bound = elbo_from_loss(torch.tensor(floor).double(), schedule).sum()
    log_prob = mixture.log_prob(line)
    entropy = float(-(log_prob.softmax(0) @ log_prob))
    assert float(bound) - entropy == pytest.approx(distance, rel=1e-3)


def test_a_worse_denoiser_has_a_worse_bound(generator):
    mixture = two_modes()
    x_0 = mixture.sample(4_000, generator=generator)
    sums = [
        float(
            elbo_terms(
                lambda x_t, t, c=c: c * mixture.optimal_eps(x_t, t, SCHEDULE),
                x_0,
                SCHEDULE,
                generator=torch.Generator().manual_seed(1),
            ).sum()
        )
        for c in (1.0, 0.9, 0.5)
    ]
    assert sums[0] < sums[1] < sums[2]


def test_elbo_of_a_point_mass_like_law_is_near_exact(generator):
    # A single narrow Gaussian: the posterior variance is nearly right.
    mixture = GaussianMixture(
        torch.ones(1), torch.zeros(1, 1), torch.tensor([[[1.0]]])
    )
    x_0 = mixture.sample(20_000, generator=generator)
    schedule = linear_schedule(1000)
    nll = float(-mixture.log_prob(x_0).mean())
    terms = elbo_terms(
        exact(mixture, schedule), x_0[:2000], schedule, generator=generator
    )
    assert abs(float(terms.sum()) - nll) < 0.05


@mutant(
    "19: weights of one",
    elbo_weight,
    lambda right, *args: torch.ones_like(right(*args)),
)
@pytest.mark.equation("eq-elbo-weight", oracle="the bound's own change")
@pytest.mark.parametrize("variance", [forward_variance, posterior_variance])
def test_elbo_weight_is_what_an_error_costs(variance):
    # Make the best denoiser wrong by a constant: the bound rises by
    # weight times its square (and no more than chance in the cross term).
    mixture, n, off = two_modes(), 50_000, 3.0
    x_0 = mixture.sample(n, generator=torch.Generator().manual_seed(0))
    right, wrong = (
        elbo_terms(
            lambda x_t, t, c=c: mixture.optimal_eps(x_t, t, SCHEDULE) + c,
            x_0,
            SCHEDULE,
            generator=torch.Generator().manual_seed(1),
            variance=variance,
        )
        for c in (0.0, off)
    )
    t = torch.arange(2, 21)
    risen = (wrong - right)[1:20] / off**2
    torch.testing.assert_close(
        risen, elbo_weight(t, SCHEDULE, variance), rtol=0.02, atol=0
    )
    assert float(elbo_weight(7, SCHEDULE, variance)) > 0


@mutant(
    "the SNRs' difference, not half of it",
    snr_weight,
    lambda right, *args: 2 * right(*args),
)
@mutant(
    "the weight of eps for that of x_0",
    snr_weight,
    lambda t, schedule: elbo_weight(t, schedule, posterior_variance),
)
@pytest.mark.equation("eq-snr-weight", oracle="a divergence by quadrature")
@pytest.mark.parametrize("schedule", [SCHEDULE, cosine_schedule(30)])
@pytest.mark.parametrize("t", [2, 9, 20])
def test_snr_weight_is_what_an_error_of_x_0_costs(schedule, t):
    # Two steps back of one variance, told 0.3 and -0.1 for x_0.
    variance = posterior_variance(t, schedule)
    x_t = torch.tensor([0.7], dtype=torch.float64)
    told = [
        torch.distributions.Normal(
            posterior_mean(torch.full_like(x_t, x_0), x_t, t, schedule),
            variance.sqrt(),
        )
        for x_0 in (0.3, -0.1)
    ]
    x = told[0].mean + variance.sqrt() * torch.linspace(-12, 12, 20_001)
    log_p, log_q = (normal.log_prob(x) for normal in told)
    kl = torch.trapezoid(log_p.exp() * (log_p - log_q), x)
    expected = snr_weight(t, schedule) * 0.4**2
    torch.testing.assert_close(kl, expected, rtol=1e-6, atol=0)


def test_snr_weights_add_up_to_the_ends_and_agree_with_those_of_eps():
    t = torch.arange(2, 21)
    weight = snr_weight(t, SCHEDULE)
    ends = (SCHEDULE.snr[1] - SCHEDULE.snr[20]) / 2
    torch.testing.assert_close(weight.sum(), ends)
    # |eps - eps_hat|^2 is the SNR times |x_0 - x_0_hat|^2
    of_eps = elbo_weight(t, SCHEDULE, posterior_variance)
    torch.testing.assert_close(weight, SCHEDULE.snr[t] * of_eps)
    with pytest.raises(ValueError, match="t must be whole numbers from 2"):
        snr_weight(1, SCHEDULE)


@mutant(
    "a weight twice too large",
    elbo_weight,
    lambda right, *args: 2 * right(*args),
)
@pytest.mark.equation("eq-elbo-from-loss", oracle="the terms, one by one")
@pytest.mark.parametrize("variance", [forward_variance, posterior_variance])
def test_elbo_from_loss_is_what_the_terms_come_to(variance):
    mixture, n = two_modes(), 100_000
    g = torch.Generator().manual_seed(3)
    x_0 = mixture.sample(n, generator=g)
    model = exact(mixture, SCHEDULE)
    losses = loss_by_time(model, x_0, SCHEDULE, generator=g)
    got = elbo_from_loss(losses, SCHEDULE, variance)
    expected = elbo_terms(model, x_0, SCHEDULE, generator=g, variance=variance)
    assert got.shape == expected.shape
    torch.testing.assert_close(got, expected, rtol=0.05, atol=0.01)
    assert float(got.sum()) == pytest.approx(float(expected.sum()), abs=0.02)


def test_elbo_from_loss_wants_a_loss_for_each_t():
    with pytest.raises(ValueError, match=r"loss must be \(21,\), one for"):
        elbo_from_loss(torch.ones(20), SCHEDULE)


def test_sampling_t_by_weight_is_the_weighted_loss():
    # Importance sampling: t as often as it weighs, and no weight in the loss.
    every = torch.arange(1, 21)
    weight = elbo_weight(every, SCHEDULE)
    x_0, eps = torch.ones(20, 1), torch.linspace(-2, 2, 20)[:, None]

    def model(x_t, t):
        return x_t * t[:, None] / 20

    uniform = elbo_loss(model, x_0, every, eps, SCHEDULE)
    errors = eps_error(model, x_0, every, eps, SCHEDULE).double()
    by_weight = (weight / weight.sum()) @ errors
    assert float(by_weight) == pytest.approx(float(uniform), rel=1e-5)


def test_the_weights_ratio_on_the_papers_schedule():
    schedule = linear_schedule()
    for variance, ratio in ((forward_variance, 27), (posterior_variance, 59)):
        early, late = elbo_weight(
            torch.tensor([2, 1000]), schedule, variance
        ).tolist()
        assert round(early / late) == ratio


@mutant("19: the simple loss for the bound's", elbo_loss, simple_loss)
@pytest.mark.equation("eq-elbo-loss", oracle="the bound's own change")
def test_elbo_loss_moves_as_the_bound_does(generator):
    # Over all t, the loss is the bound up to a factor and a constant.
    mixture, n = two_modes(), 20_000
    x_0 = mixture.sample(n, generator=generator)
    losses, bounds = [], []
    for c in (0.0, 0.5, 1.0):

        def model(x_t, t, c=c):
            wrong_early = (t <= 5)[:, None]  # so that the weights matter
            return (
                mixture.optimal_eps(x_t, t, SCHEDULE) + c * x_t * wrong_early
            )

        loss = []
        for t in range(1, 21):
            g = torch.Generator().manual_seed(t)
            eps = torch.randn(n, 1, generator=g, dtype=torch.float64)
            each = torch.full((n,), t)
            loss.append(elbo_loss(model, x_0, each, eps, SCHEDULE))
        losses.append(torch.stack(loss).mean())
        g = torch.Generator().manual_seed(1)
        bounds.append(elbo_terms(model, x_0, SCHEDULE, generator=g).sum())
    factor = elbo_weight(torch.arange(1, 21), SCHEDULE).sum()
    for i in (1, 2):
        risen = factor * (losses[i] - losses[0])
        torch.testing.assert_close(
            risen, bounds[i] - bounds[0], rtol=0.03, atol=0
        )


def test_loss_by_time_is_the_floor_for_the_best_denoiser(generator):
    mixture = two_modes()
    x_0 = mixture.sample(20_000, generator=generator)
    losses = loss_by_time(
        exact(mixture, SCHEDULE), x_0, SCHEDULE, generator=generator
    )
    assert losses.shape == (21,)
    t = torch.arange(21)
    floor, _ = mixture.bayes_loss(t, SCHEDULE, generator=generator)
    torch.testing.assert_close(losses, floor, rtol=0, atol=0.03)
    assert float(losses[0]) == 1.0


@mutant(
    "22: beta for the best variance",
    optimal_reverse_variance,
    lambda losses: forward_variance,
)
@pytest.mark.equation(
    "eq-optimal-reverse-variance", oracle="a search over variances"
)
@pytest.mark.parametrize("t", [1, 2, 5, 15])
def test_best_variance_has_the_smallest_bound(t, generator):
    mixture = two_modes()
    x_0 = mixture.sample(20_000, generator=generator)
    model = exact(mixture, SCHEDULE)
    losses = loss_by_time(model, x_0, SCHEDULE, generator=generator)
    best = optimal_reverse_variance(losses)

    def term(factor):
        return elbo_terms(
            model,
            x_0,
            SCHEDULE,
            generator=torch.Generator().manual_seed(1),
            variance=lambda t, schedule: factor * best(t, schedule),
        )[t - 1]

    factors = [0.5, 0.8, 0.9, 1.0, 1.1, 1.25, 2.0]
    terms = [float(term(factor)) for factor in factors]
    assert min(terms) == terms[3]


def test_best_variance_is_bracketed_for_data_of_variance_one(generator):
    mixture = two_modes()
    t = torch.arange(1, 21)
    floor, _ = mixture.bayes_loss(
        torch.arange(21), SCHEDULE, generator=generator
    )
    best = optimal_reverse_variance(floor)(t, SCHEDULE)
    assert (best >= posterior_variance(t, SCHEDULE)).all()
    chance = 1 + 1e-3  # the floor is a mean over draws
    assert (best <= chance * forward_variance(t, SCHEDULE)).all()
    # and it tightens the bound of both
    x_0 = mixture.sample(20_000, generator=generator)
    sums = [
        elbo_terms(
            exact(mixture, SCHEDULE),
            x_0,
            SCHEDULE,
            generator=torch.Generator().manual_seed(1),
            variance=variance,
        ).sum()
        for variance in (
            optimal_reverse_variance(floor),
            forward_variance,
            posterior_variance,
        )
    ]
    assert sums[0] < sums[1] < sums[2]


def grey(levels):
    return torch.linspace(-1, 1, levels, dtype=torch.float64)


def without_tails(x, mean, variance, *, levels):
    normal = torch.distributions.Normal(mean, variance.sqrt())
    half = 1 / (levels - 1)
    return (normal.cdf(x + half) - normal.cdf(x - half)).log()


@mutant(
    "13: the outer levels without their tails",
    discrete_log_prob,
    without_tails,
)
@pytest.mark.equation("eq-discrete-decoder", oracle="counting rounded draws")
@pytest.mark.parametrize("levels", [2, 17, 256])
def test_discrete_log_prob_is_how_often_a_draw_is_rounded_there(
    levels, generator
):
    mean, variance, n = *double(0.7, 0.09), 400_000
    draws = mean + variance.sqrt() * torch.randn(
        n, generator=generator, dtype=torch.float64
    )
    nearest = ((draws + 1) / 2 * (levels - 1)).round().clamp(0, levels - 1)
    counts = nearest.long().bincount(minlength=levels) / n
    p = discrete_log_prob(grey(levels), mean, variance, levels=levels).exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)
    error = (p * (1 - p) / n).sqrt()
    assert ((counts - p).abs() < 5 * error + 2e-5).all()


def test_discrete_log_prob_far_out_and_in_fine_levels():
    # 40 standard deviations away it is the tail's own asymptotics ...
    x, one = torch.zeros(1).double(), torch.ones(1).double()
    got = discrete_log_prob(x, 2.5 * one, one / 256, levels=17)
    nearest = (2.5 - 1 / 16) * 16
    tail = -(nearest**2) / 2 - math.log(nearest * math.sqrt(2 * math.pi))
    assert float(got) == pytest.approx(tail, rel=1e-3)
    mirrored = discrete_log_prob(-x, -2.5 * one, one / 256, levels=17)
    torch.testing.assert_close(got, mirrored)
    # ... and with narrow levels, the density times the width
    x = grey(100_001)[60_000:60_001]
    got = discrete_log_prob(x, 0 * one, one, levels=100_001)
    density = normal_log_prob(x, 0 * one, one) + math.log(2e-5)
    torch.testing.assert_close(got, density, rtol=1e-6, atol=0)


def levels_one_apart(right, log_prob, x_0, *, levels, generator):
    width = x_0[0].numel() * math.log(2 / (levels - 1))
    return right(log_prob, x_0, levels=levels, generator=generator) + width


@mutant("13: levels one apart", dequantised_nll, levels_one_apart)
@pytest.mark.equation("eq-dequantised", oracle="exact level probabilities")
def test_dequantised_nll_is_a_bound_and_exact_for_flat_densities(generator):
    # A density of a normal distribution, against the exact mass of each level
    mean, variance, n = *double(0.2, 0.3), 40_000
    levels = 5
    x = grey(levels)[1:4].repeat(n)[:, None]
    bound = dequantised_nll(
        lambda x: normal_log_prob(x, mean, variance)[:, 0],
        x,
        levels=levels,
        generator=generator,
    )
    p = discrete_log_prob(x, mean, variance, levels=levels)[:, 0]
    for level in x.unique():
        here = x[:, 0] == level
        gap = float((bound[here] + p[here]).mean())
        error = float(bound[here].std()) / n**0.5
        assert gap + 4 * error > 0
        assert gap < 0.06
    flat = dequantised_nll(
        lambda x: torch.full((len(x),), -math.log(2.5)),
        x,
        levels=levels,
        generator=generator,
    )  # uniform over the five levels' whole range
    torch.testing.assert_close(
        flat.double(), torch.full((3 * n,), math.log(5)).double()
    )


@pytest.mark.equation("eq-v-loss", oracle="v by the angle of x_t")
def test_v_loss_is_the_error_of_v(generator):
    x_0, eps = torch.randn(2, 64, 3, generator=generator).double()
    t = torch.randint(1, SCHEDULE.T + 1, (64,), generator=generator)

    def eps_model(x_t, t):
        return 0.3 * x_t + 0.01 * t[:, None]

    # x_t = cos(angle) x_0 + sin(angle) eps, and v is its derivative.
    angle = SCHEDULE.alpha_bar[t].sqrt().acos()[:, None]
    x_t = angle.cos() * x_0 + angle.sin() * eps
    v_hat = (eps_model(x_t, t) - angle.sin() * x_t) / angle.cos()
    v = angle.cos() * eps - angle.sin() * x_0
    expected = (v - v_hat).square().mean()
    got = v_loss(eps_model, x_0, t, eps, SCHEDULE)
    torch.testing.assert_close(got, expected)
    assert float(v_loss(eps_model, x_0, 5, eps, SCHEDULE)) > 0


def test_grey_levels_bad_input(generator):
    one = torch.ones(1)
    for function in (
        lambda x, n: discrete_log_prob(x, one, one, levels=n),
        lambda x, n: dequantised_nll(
            lambda x: x, x, levels=n, generator=generator
        ),
    ):
        with pytest.raises(ValueError, match=r"levels must be .* at least 2"):
            function(one, 1)
        with pytest.raises(ValueError, match="x must lie on 17 even levels"):
            function(0.03 * one, 17)
        with pytest.raises(ValueError, match="x must lie on 17 even levels"):
            function(1.125 * one, 17)
        with pytest.raises(ValueError, match=r"must (lie on|be finite)"):
            function(math.nan * one, 17)


def test_grey_levels_say_in_which_dtype_they_are_off():
    x = (2 * torch.arange(256) / 255 - 1).bfloat16()[:, None]
    one = torch.ones(1)
    with pytest.raises(ValueError, match=r"an entry, in torch.bfloat16, is 0"):
        discrete_log_prob(x, 0 * one, one, levels=256)


def test_elbo_terms_with_a_discrete_decoder(generator):
    # 17 levels from a fair die: no model says less than log 17 a pixel,
    # and one whose first step back is useless says no less either.
    x_0 = grey(17)[torch.randint(17, (500, 8), generator=generator)]

    def decoder(x, mean, variance):
        return discrete_log_prob(x, mean, variance, levels=17)

    def model(x_t, t):
        return 0 * x_t

    continuous, discrete = (
        elbo_terms(
            model,
            x_0,
            SCHEDULE,
            generator=torch.Generator().manual_seed(1),
            **kwargs,
        )
        for kwargs in ({}, {"decoder": decoder})
    )
    assert torch.equal(continuous[1:], discrete[1:])
    assert bits_per_dim(float(discrete.sum()), 8) > math.log2(17)


def test_a_fine_discrete_decoder_is_the_density_times_a_width(generator):
    # away from the two ends, whose levels have the tails as well
    x_0 = grey(17)[1 + torch.randint(15, (500, 8), generator=generator)]
    fine, continuous = (
        elbo_terms(
            lambda x_t, t: 0 * x_t,
            x_0,
            SCHEDULE,
            generator=torch.Generator().manual_seed(1),
            decoder=decoder,
        )[0]
        for decoder in (
            lambda x, m, v: discrete_log_prob(x, m, v, levels=16_001),
            normal_log_prob,
        )
    )
    width = 8 * math.log(2 / 16_000)
    assert float(fine) == pytest.approx(float(continuous) - width, rel=1e-4)


def test_elbo_terms_of_pictures_are_those_of_their_pixels():
    net = torch.nn.Linear(1, 1)  # something to train, for its gradient

    def model(x_t, t):
        return net.weight * (1 - SCHEDULE.alpha_bar[t[0]]).sqrt() * x_t

    rows = torch.linspace(-1, 1, 24).reshape(6, 4)
    flat, pictures, double, other = (
        elbo_terms(
            model,
            x_0,
            SCHEDULE,
            generator=torch.Generator().manual_seed(seed),
        )
        for x_0, seed in (
            (rows, 0),
            (rows.reshape(6, 1, 2, 2), 0),
            (rows.double(), 0),
            (rows, 1),
        )
    )
    assert flat.shape == (21,)
    assert flat.dtype == torch.float64
    assert not flat.requires_grad
    assert torch.equal(flat, pictures)
    torch.testing.assert_close(flat, double, rtol=1e-4, atol=1e-6)
    assert not torch.equal(flat, other)
    errors = eps_error(
        model, rows.reshape(6, 1, 2, 2), 3, rows.reshape(6, 1, 2, 2), SCHEDULE
    )
    assert errors.shape == (6,)
    flat_rows = rows.flatten()
    alone = eps_error(lambda x, t: x, flat_rows, 3, flat_rows, SCHEDULE)
    assert alone.shape == (24,)


def test_elbo_terms_bad_input(generator):
    with pytest.raises(ValueError, match="x_0 must be finite"):
        elbo_terms(
            lambda x_t, t: x_t,
            torch.tensor([[math.nan]]),
            SCHEDULE,
            generator=generator,
        )
