"""Famous wrong formulas are put in, and a named test must fail.

Each mutant replaces one function, in every module that uses it, by a wrong
version that somebody published; the numbers are those of the collection
that the book's "Common mistakes" draw on. Then the named test is called.
If it passes, the mutant lives, and the test here fails.
"""

import inspect
import sys
import warnings
from dataclasses import dataclass, field

import pytest
import torch

import test_contest_results
import test_dirac_gan
import test_elbo
import test_flow
import test_forward
import test_gan
import test_metrics
import test_mixtures
import test_networks
import test_parameterization
import test_posterior
import test_sampling
import test_schedules
import test_vae
from diffusion_lite.arguments import at
from diffusion_lite.dirac_gan import (
    alternating_step,
    bowl_loss,
    consensus_eigenvalues,
    dirac_value,
    minimax,
    non_saturating,
    r1_eigenvalues,
    simultaneous_growth,
    simultaneous_step,
    wasserstein,
    with_consensus,
    with_r1,
)
from diffusion_lite.elbo import (
    bits_per_dim,
    dequantised_nll,
    discrete_log_prob,
    elbo_loss,
    elbo_weight,
    eps_error,
    normal_kl,
    normal_log_prob,
    optimal_reverse_variance,
    simple_loss,
)
from diffusion_lite.flow import Coupling, Flow
from diffusion_lite.forward import (
    class_probs,
    q_mean_variance,
    q_sample,
    q_step,
)
from diffusion_lite.gan import (
    gan_value,
    generator_loss,
    jensen_shannon,
    optimal_logit,
    r1_penalty,
)
from diffusion_lite.metrics import precision_recall
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.networks import MLP, time_embedding
from diffusion_lite.parameterization import score_from_eps, v_from_x_0_eps
from diffusion_lite.posterior import (
    forward_variance,
    posterior_mean,
    posterior_mean_from_eps,
    posterior_variance,
    reverse_variance,
)
from diffusion_lite.sampling import clamp_x_0, ddpm_step
from diffusion_lite.schedules import (
    Schedule,
    cosine_schedule,
    linear_schedule,
)
from diffusion_lite.vae import VAE, reparameterise
from experiments.contest.results import mean_interval

right_eps = GaussianMixture.optimal_eps


@dataclass(frozen=True)
class Mutant:
    """A wrong function, what it stands in for, and who must notice."""

    name: str
    right: object  # a function, or (class, name of a property)
    wrong: object
    test: object
    arguments: dict = field(default_factory=dict)  # of the test


def root(table, t, x):
    return at(table.sqrt(), t, x)


# ---- 1 to 4: the forward process -------------------------------------------


def step_with_beta(x_s, t, eps, schedule):
    keep = root(schedule.alpha, t, x_s)
    return keep * x_s + at(schedule.beta, t, x_s) * eps


def step_with_alpha_bar(x_s, t, eps, schedule):
    keep = root(schedule.alpha_bar, t, x_s)
    return keep * x_s + root(1 - schedule.alpha_bar, t, x_s) * eps


def step_that_does_not_shrink(x_s, t, eps, schedule):
    return x_s + root(schedule.beta, t, x_s) * eps


def jump_with_variance_as_std(x_0, t, eps, schedule):
    noise = at(1 - schedule.alpha_bar, t, x_0)
    return root(schedule.alpha_bar, t, x_0) * x_0 + noise * eps


def jump_with_alpha(x_0, t, eps, schedule):
    noise = root(1 - schedule.alpha, t, x_0)
    return root(schedule.alpha, t, x_0) * x_0 + noise * eps


def jump_with_uniform_noise(x_0, t, eps, schedule):
    uniform = torch.distributions.Normal(0, 1).cdf(eps)  # eps as rand() is
    noise = root(1 - schedule.alpha_bar, t, x_0)
    return root(schedule.alpha_bar, t, x_0) * x_0 + noise * uniform


def std_as_variance(x_0, t, schedule):
    mean = root(schedule.alpha_bar, t, x_0) * x_0
    return mean, root(1 - schedule.alpha_bar, t, x_0)


def classes_without_shrinking(x_t, t, data, labels, schedule):
    shrunk = root(schedule.alpha_bar, t, data)
    return class_probs(x_t, t, data / shrunk, labels, schedule)


def product_from_0(self):
    return torch.cat([self.alpha[1:], self.alpha[-1:]]).cumprod(0)


def product_up_to_T(self):
    return self.alpha.prod().expand(self.T + 1)


def product_one_late(self):
    return self.alpha.cumprod(0).roll(1).index_fill(0, torch.tensor(0), 1)


def snr_of_roots(self):
    return (self.alpha_bar / (1 - self.alpha_bar)).sqrt()


# ---- 5 to 7: the posterior and the last step -------------------------------


def posterior_with_alpha_bar(x_0, x_t, t, schedule):
    alpha_bar_t = schedule.alpha_bar
    alpha_bar_s = alpha_bar_t.roll(1)
    weight_0 = alpha_bar_s.sqrt() * schedule.beta / (1 - alpha_bar_t)
    weight_t = alpha_bar_t.sqrt() * (1 - alpha_bar_s) / (1 - alpha_bar_t)
    return at(weight_0, t, x_0) * x_0 + at(weight_t, t, x_0) * x_t


def posterior_with_weights_swapped(x_0, x_t, t, schedule):
    return posterior_mean(x_t, x_0, t, schedule)


def posterior_one_late(x_0, x_t, t, schedule):
    t = torch.as_tensor(t)
    later = (t + 1).clamp(max=schedule.T)
    return posterior_mean(x_0, x_t, later, schedule)


def mean_with_alpha_bar(x_t, t, eps, schedule):
    mean = posterior_mean_from_eps(x_t, t, eps, schedule)
    turned_up = root(schedule.alpha / schedule.alpha_bar, t, x_t)
    return mean * turned_up


def mean_over_the_variance(x_t, t, eps, schedule):
    eps = eps / root(1 - schedule.alpha_bar, t, x_t)
    return posterior_mean_from_eps(x_t, t, eps, schedule)


def reverse_variance_without_square(x_0_variance, t, schedule):
    tilde = posterior_variance(t, schedule)
    extra = reverse_variance(1.0, t, schedule) - tilde
    return tilde + extra.sqrt() * x_0_variance


def beta_tilde_as_reverse_variance(x_0_variance, t, schedule):
    return posterior_variance(t, schedule) + 0 * x_0_variance


def beta_as_posterior_variance(t, schedule):
    return schedule.beta[torch.as_tensor(t)]


def posterior_std_as_variance(t, schedule):
    return posterior_variance(t, schedule).sqrt()


def step_with_noise_at_the_end(
    eps_model, x_t, t, z, schedule, variance=forward_variance
):
    mean = ddpm_step(eps_model, x_t, t, 0 * z, schedule, variance)
    return mean + float(schedule.beta[t]) ** 0.5 * z


def step_one_late(eps_model, x_t, t, z, schedule, variance):
    return ddpm_step(
        lambda x, s: eps_model(x, s - 1), x_t, t, z, schedule, variance
    )


def step_with_variance_as_std(eps_model, x_t, t, z, schedule, variance):
    def squared(t, schedule):
        return variance(t, schedule) ** 2

    return ddpm_step(eps_model, x_t, t, z, schedule, squared)


# ---- 8, 9, 13, 18: scores, divergences, floors ------------------------------


def score_with_wrong_sign(eps, t, schedule):
    return -score_from_eps(eps, t, schedule)


def score_over_variance(eps, t, schedule):
    return -eps / at(1 - schedule.alpha_bar, t, eps)


def v_with_wrong_sign(x_0, t, eps, schedule):
    v = v_from_x_0_eps(x_0, t, eps, schedule)
    return -v


def kl_with_wrong_sign(mean_1, variance_1, mean_2, variance_2):
    return -normal_kl(mean_1, variance_1, mean_2, variance_2)


def kl_the_other_way_round(mean_1, variance_1, mean_2, variance_2):
    return normal_kl(mean_2, variance_2, mean_1, variance_1)


def kl_that_goes_below_0(mean_1, variance_1, mean_2, variance_2):
    ratio = variance_1 / variance_2
    return (ratio - 1 - ratio.log() + (mean_1 - mean_2).abs()) / 2


def nats_called_bits(nats, num_dims):
    return nats / num_dims


def floor_of_zero(self, t, schedule, *, generator, n=10_000):
    zeros = torch.zeros(torch.as_tensor(t).shape).double()
    return zeros, zeros


def eps_of_wrong_sign(self, x_t, t, schedule):
    return -right_eps(self, x_t, t, schedule)


def noised_without_the_root(self, t, schedule):
    alpha_bar = schedule.alpha_bar[t]
    eye = torch.eye(self.dim).double()
    return GaussianMixture(
        self.weights,
        alpha_bar * self.means,
        alpha_bar * self.covariances + (1 - alpha_bar) * eye,
    )


# ---- 13, 19, 21, 22: losses and levels --------------------------------------


def levels_without_tails(x, mean, variance, *, levels):
    normal = torch.distributions.Normal(mean, variance.sqrt())
    half = 1 / (levels - 1)
    return (normal.cdf(x + half) - normal.cdf(x - half)).log()


def levels_one_apart(log_prob, x_0, *, levels, generator):
    width = x_0[0].numel() * torch.tensor(2 / (levels - 1)).log()
    return (
        dequantised_nll(log_prob, x_0, levels=levels, generator=generator)
        + width
    )


def weights_of_one(t, schedule, variance=forward_variance):
    return torch.ones(torch.as_tensor(t).shape).double()


def weight_without_the_two(t, schedule, variance=forward_variance):
    return 2 * elbo_weight(t, schedule, variance)


def absolute_error(eps_model, x_0, t, eps, schedule):
    x_t = q_sample(x_0, t, eps, schedule)
    eps_hat = eps_model(x_t, torch.as_tensor(t).expand(len(x_t)))
    return (eps - eps_hat).abs().reshape(len(eps), -1).mean(1)


def beta_for_the_best_variance(loss):
    return forward_variance


def clamped_to_one(eps_model, schedule, low, high):
    return clamp_x_0(eps_model, schedule, -1, 1)


# ---- 14, 16, 29, 30: schedules, layers and embeddings -----------------------


def cosine_without_the_square(T=1000, s=0.008, beta_max=0.999):
    u = torch.arange(T + 1).double() / T
    f = ((u + s) / (1 + s) * torch.pi / 2).cos()
    return Schedule.from_betas((1 - f[1:] / f[:-1]).clamp(max=beta_max))


def linear_with_the_betas_kept(T=1000, beta_1=1e-4, beta_T=0.02):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Schedule.from_betas(torch.linspace(beta_1, beta_T, T).double())


class LayersInAList(MLP):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        layers = list(self.layers)
        del self.layers
        self.layers = layers


def embedding_with_axes_mixed_up(t, dim):
    emb = time_embedding(t, dim)
    return emb.T.reshape(emb.shape)


# ---- the other families ----------------------------------------------------

right_elbo, right_log_prob = VAE.elbo, Flow.log_prob
right_estimate, right_coupling = VAE.log_prob, Coupling.forward
right_precision_recall = precision_recall


def value_that_praises_fakes(real_logit, fake_logit):
    logsigmoid = torch.nn.functional.logsigmoid
    return logsigmoid(real_logit).mean() + logsigmoid(fake_logit).mean()


def logit_upside_down(x, data, model):
    return model.log_prob(x) - data.log_prob(x)


def divergence_without_the_middle(data, model, *, generator, n=100_000):
    def kl(p, q):
        x = p.sample(n, generator=generator)
        return (p.log_prob(x) - q.log_prob(x)).mean()

    return (kl(data, model) + kl(model, data)) / 2


def saturating_loss(fake_logit):
    return torch.nn.functional.logsigmoid(-fake_logit).mean()


def slope_without_the_square(discriminator, x):
    return r1_penalty(discriminator, x).sqrt()


def generator_that_goes_up(theta, psi):
    d_theta, d_psi = non_saturating(theta, psi)
    return -d_theta, d_psi


def r1_without_the_half(velocity, gamma):
    return with_r1(velocity, 2 * gamma)


def turn_that_knows_nothing(velocity, theta, psi, h):
    return simultaneous_step(velocity, theta, psi, h)


def step_that_knows_too_much(velocity, theta, psi, h):
    return alternating_step(velocity, theta, psi, h)


def value_with_the_logits_sign_turned(theta, psi):
    return dirac_value(theta, -psi)


def minimax_with_the_players_swapped(theta, psi):
    d_theta, d_psi = minimax(theta, psi)
    return -d_theta, -d_psi


def minimax_with_the_other_sigmoid(theta, psi):
    d_theta, d_psi = minimax(-theta, psi)
    return d_theta, -d_psi


def wasserstein_with_theta_going_up(theta, psi):
    return -psi, -theta


def r1_on_both_players(velocity, gamma):
    def penalised(theta, psi):
        d_theta, d_psi = with_r1(velocity, gamma)(theta, psi)
        return d_theta - gamma * theta, d_psi

    return penalised


def consensus_that_goes_up_the_speed(velocity, gamma):
    return with_consensus(velocity, -gamma)


def r1_rates_with_all_of_gamma(gamma, turn=0.5):
    return r1_eigenvalues(2 * gamma, turn)


def consensus_rates_with_the_turn_not_squared(gamma, turn=0.5):
    return consensus_eigenvalues(gamma / turn, turn)


def growth_of_continuous_time(rates, h):
    return float((h * rates).exp().abs().max())


def growth_of_the_real_part(rates, h):
    return float((1 + h * rates.real).abs().max())


def bowl_of_the_signal(theta, t, schedule):
    return schedule.alpha_bar[t] * theta**2


def elbo_plus_the_divergence(self, x, *, generator):
    mean, variance = self.encode(x)
    kl = normal_kl(mean, variance, 0 * mean, torch.ones_like(mean)).sum(1)
    return right_elbo(self, x, generator=generator) + 2 * kl


def elbo_without_the_half(self, x, *, generator):
    mean, variance = self.encode(x)
    kl = normal_kl(mean, variance, 0 * mean, torch.ones_like(mean)).sum(1)
    return right_elbo(self, x, generator=generator) - kl


def pixels_averaged(self, x, z):
    variance = (2 * self.log_std).exp()
    return normal_log_prob(x, self.decode(z), variance).flatten(1).mean(1)


def logarithm_before_the_mean(self, x, *, samples, generator):
    bounds = [self.elbo(x, generator=generator) for _ in range(samples)]
    return torch.stack(bounds).mean(0)


def sum_of_the_weights(self, x, *, samples, generator):
    found = right_estimate(self, x, samples=samples, generator=generator)
    return found + torch.tensor(samples).log()


def variance_for_the_std(mean, variance, noise):
    return mean + variance * noise


def coupling_counted_upside_down(self, x):
    z, log_det = right_coupling(self, x)
    return z, -log_det


def coupling_that_reads_what_moves(self, x):
    log_scale, shift = self.net(x).chunk(2, dim=1)
    moves = 1 - self.mask
    return moves * self.reach * log_scale.tanh(), moves * shift


def couplings_not_turned_round(self, z):
    for coupling in self.couplings:
        z = coupling.inverse(z)
    return z.reshape(-1, *self.shape)


@torch.no_grad()
def draw_without_noise(self, n, *, generator):
    return self.decode(torch.randn(n, self.latent_dim, generator=generator))


def density_without_the_determinant(self, x):
    return right_log_prob(self, x) - self(x)[1]


def density_with_the_determinant_upside_down(self, x):
    return right_log_prob(self, x) - 2 * self(x)[1]


def recall_for_precision(x, data, k=3):
    return right_precision_recall(x, data, k)[::-1]


def interval_of_a_known_width(x):
    return float(x.mean()), 1.96 * float(x.std()) / len(x) ** 0.5


MUTANTS = [
    Mutant(
        "1: beta for its root",
        q_step,
        step_with_beta,
        test_forward.test_q_step_has_the_mean_and_variance_of_one_step,
    ),
    Mutant(
        "1: no shrinking",
        q_step,
        step_that_does_not_shrink,
        test_forward.test_variance_one_stays_one,
    ),
    Mutant(
        "2: uniform noise",
        q_sample,
        jump_with_uniform_noise,
        test_forward.test_the_jumps_samples_are_the_chains,
    ),
    Mutant(
        "3: a variance as a standard deviation",
        q_sample,
        jump_with_variance_as_std,
        test_forward.test_the_jumps_samples_are_the_chains,
    ),
    Mutant(
        "3: a standard deviation as a variance",
        q_mean_variance,
        std_as_variance,
        test_forward.test_the_jump_is_the_chain,
        {"schedule": test_forward.LINEAR},
    ),
    Mutant(
        "4: alpha for alpha_bar",
        q_sample,
        jump_with_alpha,
        test_forward.test_the_jumps_samples_are_the_chains,
    ),
    Mutant(
        "4: alpha_bar in one step",
        q_step,
        step_with_alpha_bar,
        test_forward.test_q_step_has_the_mean_and_variance_of_one_step,
    ),
    Mutant(
        "4: the product from 0",
        (Schedule, "alpha_bar"),
        product_from_0,
        test_schedules.test_alpha_bar_is_the_product_up_to_t,
    ),
    Mutant(
        "4: the product up to T",
        (Schedule, "alpha_bar"),
        product_up_to_T,
        test_schedules.test_alpha_bar_is_the_product_up_to_t,
    ),
    Mutant(
        "6: the product one step late",
        (Schedule, "alpha_bar"),
        product_one_late,
        test_schedules.test_alpha_bar_is_the_product_up_to_t,
    ),
    Mutant(
        "the ratio of roots for the SNR",
        (Schedule, "snr"),
        snr_of_roots,
        test_schedules.test_snr_is_power_over_power,
    ),
    Mutant(
        "class probabilities without shrinking",
        class_probs,
        classes_without_shrinking,
        test_forward.test_class_probs_are_calibrated,
    ),
    Mutant(
        "5: alpha_bar_t on x_t",
        posterior_mean,
        posterior_with_alpha_bar,
        test_posterior.test_posterior_is_bayes_rule_on_a_grid,
        {"t": 50, "schedule": test_posterior.LINEAR},
    ),
    Mutant(
        "5: alpha_bar_t on x_t, the whole chain",
        posterior_mean,
        posterior_with_alpha_bar,
        test_posterior.test_a_unit_gaussian_stays_one_going_back,
    ),
    Mutant(
        "5: alpha_bar_t below x_t",
        posterior_mean_from_eps,
        mean_with_alpha_bar,
        test_sampling.test_the_chain_ends_where_its_own_recursion_says,
        {"c": 1.0, "variance": forward_variance},
    ),
    Mutant(
        "3: the noise over its variance",
        posterior_mean_from_eps,
        mean_over_the_variance,
        test_posterior.test_mean_is_x_t_with_some_noise_taken_off,
        {"schedule": test_posterior.LINEAR},
    ),
    Mutant(
        "22: beta-tilde for the true reverse variance",
        reverse_variance,
        beta_tilde_as_reverse_variance,
        test_posterior.test_reverse_variance_is_that_of_the_exact_reverse_step,
        {"t": 20},
    ),
    Mutant(
        "the reverse variance with a weight not squared",
        reverse_variance,
        reverse_variance_without_square,
        test_posterior.test_reverse_variance_is_that_of_the_exact_reverse_step,
        {"t": 20},
    ),
    Mutant(
        "the posterior's weights swapped",
        posterior_mean,
        posterior_with_weights_swapped,
        test_posterior.test_posterior_is_bayes_rule_on_a_grid,
        {"t": 50, "schedule": test_posterior.LINEAR},
    ),
    Mutant(
        "6: the posterior one step late",
        posterior_mean,
        posterior_one_late,
        test_posterior.test_posterior_is_bayes_rule_on_a_grid,
        {"t": 50, "schedule": test_posterior.LINEAR},
    ),
    Mutant(
        "22: beta for beta-tilde",
        posterior_variance,
        beta_as_posterior_variance,
        test_posterior.test_posterior_is_bayes_rule_on_a_grid,
        {"t": 2, "schedule": test_posterior.LINEAR},
    ),
    Mutant(
        "3: the posterior's standard deviation as its variance",
        posterior_variance,
        posterior_std_as_variance,
        test_posterior.test_posterior_is_bayes_rule_on_a_grid,
        {"t": 50, "schedule": test_posterior.LINEAR},
    ),
    Mutant(
        "6: the network is asked one step late",
        ddpm_step,
        step_one_late,
        test_sampling.test_the_model_is_asked_at_t_T_down_to_1,
    ),
    Mutant(
        "7: noise at the last step",
        ddpm_step,
        step_with_noise_at_the_end,
        test_sampling.test_the_last_step_adds_no_noise,
        {"variance": forward_variance},
    ),
    Mutant(
        "3: a step's variance as its standard deviation",
        ddpm_step,
        step_with_variance_as_std,
        test_sampling.test_the_chain_ends_where_its_own_recursion_says,
        {"c": 1.0, "variance": forward_variance},
    ),
    Mutant(
        "8: the sign of the score",
        score_from_eps,
        score_with_wrong_sign,
        test_parameterization.test_score_is_autograd_of_log_q,
    ),
    Mutant(
        "3: the score over the variance",
        score_from_eps,
        score_over_variance,
        test_parameterization.test_score_is_autograd_of_log_q,
    ),
    Mutant(
        "8: the sign of v",
        v_from_x_0_eps,
        v_with_wrong_sign,
        test_parameterization.test_v_goes_there_and_back,
    ),
    Mutant(
        "8: the sign of the best denoiser",
        (GaussianMixture, "optimal_eps"),
        eps_of_wrong_sign,
        test_mixtures.test_eps_by_quadrature,
        {"t": 30},
    ),
    Mutant(
        "8: the sign of the bound",
        normal_kl,
        kl_with_wrong_sign,
        test_elbo.test_elbo_terms_by_quadrature,
        {"variance": forward_variance},
    ),
    Mutant(
        "9: a KL the other way round",
        normal_kl,
        kl_the_other_way_round,
        test_elbo.test_normal_kl_by_quadrature,
        {"arguments": (1.0, 0.5, -0.3, 2.0)},
    ),
    Mutant(
        "9: a KL that is no KL",
        normal_kl,
        kl_that_goes_below_0,
        test_elbo.test_normal_kl_of_equal_variances_is_a_squared_distance,
    ),
    Mutant(
        "13: nats called bits",
        bits_per_dim,
        nats_called_bits,
        test_elbo.test_bits_per_dim_of_a_fair_coin,
    ),
    Mutant(
        "13: the outer levels without their tails",
        discrete_log_prob,
        levels_without_tails,
        test_elbo.test_discrete_log_prob_is_how_often_a_draw_is_rounded_there,
        {"levels": 17},
    ),
    Mutant(
        "13: levels one apart",
        dequantised_nll,
        levels_one_apart,
        test_elbo.test_dequantised_nll_is_a_bound_and_exact_for_flat_densities,
    ),
    Mutant(
        "19: the simple loss for the bound's",
        elbo_loss,
        simple_loss,
        test_elbo.test_elbo_loss_moves_as_the_bound_does,
    ),
    Mutant(
        "19: weights of one",
        elbo_weight,
        weights_of_one,
        test_elbo.test_elbo_weight_is_the_price_of_an_error,
        {"variance": forward_variance},
    ),
    Mutant(
        "a weight twice too large",
        elbo_weight,
        weight_without_the_two,
        test_elbo.test_elbo_from_loss_is_what_the_terms_come_to,
        {"variance": forward_variance},
    ),
    Mutant(
        "21: L1 for the squared error",
        eps_error,
        absolute_error,
        test_elbo.test_simple_loss_of_the_best_denoiser_is_the_floor,
    ),
    Mutant(
        "22: beta for the best variance",
        optimal_reverse_variance,
        beta_for_the_best_variance,
        test_elbo.test_best_variance_has_the_smallest_bound,
        {"t": 2},
    ),
    Mutant(
        "29: layers in a plain list",
        MLP,
        LayersInAList,
        test_networks.test_mlp_maps_points_to_points,
    ),
    Mutant(
        "31: clamping to [-1, 1] whatever the data",
        clamp_x_0,
        clamped_to_one,
        test_sampling.test_clamped_denoisers_keep_x_0_in_range,
    ),
    Mutant(
        "14: a cosine schedule without the square",
        cosine_schedule,
        cosine_without_the_square,
        test_schedules.test_cosine_schedule_is_the_papers,
    ),
    Mutant(
        "16: the betas of 1000 steps for fewer",
        linear_schedule,
        linear_with_the_betas_kept,
        test_schedules.test_linear_schedule_of_fewer_steps_skips,
        {"T": 100},
    ),
    Mutant(
        "18: a floor of 0",
        (GaussianMixture, "bayes_loss"),
        floor_of_zero,
        test_mixtures.test_floor_is_the_best_denoisers_error,
        {"t": 20},
    ),
    Mutant(
        "4: a mixture noised without the root",
        (GaussianMixture, "noised"),
        noised_without_the_root,
        test_mixtures.test_noised_density_by_quadrature,
        {"t": 30},
    ),
    Mutant(
        "30: an embedding with its axes mixed up",
        time_embedding,
        embedding_with_axes_mixed_up,
        test_networks.test_the_nearest_embedding_of_t_is_its_neighbour,
        {"dim": 32},
    ),
    Mutant(
        "a value that praises fakes",
        gan_value,
        value_that_praises_fakes,
        test_gan.test_the_value_is_minus_a_classifiers_cross_entropy,
    ),
    Mutant(
        "a best discriminator upside down",
        optimal_logit,
        logit_upside_down,
        test_gan.test_no_discriminator_beats_the_optimal_one,
    ),
    Mutant(
        "Jensen-Shannon without the middle",
        jensen_shannon,
        divergence_without_the_middle,
        test_gan.test_jensen_shannon_is_that_of_quadrature,
    ),
    Mutant(
        "a generator's loss that saturates",
        generator_loss,
        saturating_loss,
        test_gan.test_the_non_saturating_loss_pulls_where_the_value_does_not,
    ),
    Mutant(
        "R1 without the square",
        r1_penalty,
        slope_without_the_square,
        test_gan.test_r1_is_the_squared_slope,
    ),
    Mutant(
        "a generator that goes the wrong way",
        non_saturating,
        generator_that_goes_up,
        test_dirac_gan.test_non_saturating_goes_down_the_generators_loss,
        {"at": (0.7, -0.4)},
    ),
    Mutant(
        "R1 without its half",
        with_r1,
        r1_without_the_half,
        test_dirac_gan.test_r1_pulls_psi_alone,
        {"at": (0.7, -0.4)},
    ),
    Mutant(
        "a turn that does not know of the other's",
        alternating_step,
        turn_that_knows_nothing,
        test_dirac_gan.test_alternating_steps_circle_up_to_a_size,
    ),
    Mutant(
        "a step that knows of the other's",
        simultaneous_step,
        step_that_knows_too_much,
        test_dirac_gan.test_simultaneous_steps_run_away_at_every_size,
    ),
    Mutant(
        "a logit that is large for fakes",
        dirac_value,
        value_with_the_logits_sign_turned,
        test_dirac_gan.test_the_value_is_that_of_the_game,
        {"at": (0.7, -0.4)},
    ),
    Mutant(
        "the players swapped",
        minimax,
        minimax_with_the_players_swapped,
        test_dirac_gan.test_minimax_goes_up_and_down_the_value,
        {"at": (0.7, -0.4)},
    ),
    Mutant(
        "the other sigmoid",
        minimax,
        minimax_with_the_other_sigmoid,
        test_dirac_gan.test_minimax_goes_up_and_down_the_value,
        {"at": (0.7, -0.4)},
    ),
    Mutant(
        "the saturating loss for the non-saturating one",
        non_saturating,
        minimax,
        test_dirac_gan.test_the_non_saturating_game_creeps_in,
    ),
    Mutant(
        "a Wasserstein generator that goes up",
        wasserstein,
        wasserstein_with_theta_going_up,
        test_dirac_gan.test_wasserstein_turns_at_full_speed,
    ),
    Mutant(
        "R1 on the generator too",
        with_r1,
        r1_on_both_players,
        test_dirac_gan.test_r1_pulls_psi_alone,
        {"at": (0.7, -0.4)},
    ),
    Mutant(
        "consensus that goes up the speed",
        with_consensus,
        consensus_that_goes_up_the_speed,
        test_dirac_gan.test_consensus_goes_down_the_speed,
        {"game": minimax},
    ),
    Mutant(
        "R1's rates with gamma for its half",
        r1_eigenvalues,
        r1_rates_with_all_of_gamma,
        test_dirac_gan.test_r1s_rates_are_its_eigenvalues,
        {"gamma": 0.4},
    ),
    Mutant(
        "consensus's rates with the turn not squared",
        consensus_eigenvalues,
        consensus_rates_with_the_turn_not_squared,
        test_dirac_gan.test_consensus_rates_are_its_eigenvalues,
    ),
    Mutant(
        "a step's growth from continuous time",
        simultaneous_growth,
        growth_of_continuous_time,
        test_dirac_gan.test_simultaneous_steps_run_away_at_every_size,
    ),
    Mutant(
        "a step's growth from the real part alone",
        simultaneous_growth,
        growth_of_the_real_part,
        test_dirac_gan.test_simultaneous_steps_run_away_at_every_size,
    ),
    Mutant(
        "a bowl of alpha_bar",
        bowl_loss,
        bowl_of_the_signal,
        test_dirac_gan.test_the_bowl_is_the_simple_loss,
        {"schedule": linear_schedule(50), "t": 7},
    ),
    Mutant(
        "8: a VAE's divergence with the wrong sign",
        (VAE, "elbo"),
        elbo_plus_the_divergence,
        test_vae.test_the_bound_misses_by_the_divergence_to_the_posterior,
    ),
    Mutant(
        "3: a variance taken for a standard deviation, in a VAE",
        reparameterise,
        variance_for_the_std,
        test_vae.test_a_draw_has_its_moments_and_its_slope,
    ),
    Mutant(
        "a VAE that draws without its noise",
        (VAE, "sample"),
        draw_without_noise,
        test_vae.test_draws_have_the_decoders_noise,
    ),
    Mutant(
        "a VAE's divergence without its half",
        (VAE, "elbo"),
        elbo_without_the_half,
        test_vae.test_the_bound_is_likelihood_minus_divergence,
    ),
    Mutant(
        "a VAE's pixels averaged, its divergence summed",
        (VAE, "log_likelihood"),
        pixels_averaged,
        test_vae.test_the_bound_misses_by_the_divergence_to_the_posterior,
    ),
    Mutant(
        "an estimate that takes the logarithm before the mean",
        (VAE, "log_prob"),
        logarithm_before_the_mean,
        test_vae.test_more_samples_come_closer_to_the_likelihood,
    ),
    Mutant(
        "an estimate that sums its weights",
        (VAE, "log_prob"),
        sum_of_the_weights,
        test_vae.test_more_samples_come_closer_to_the_likelihood,
    ),
    Mutant(
        "a flow without the determinant",
        (Flow, "log_prob"),
        density_without_the_determinant,
        test_flow.test_the_density_is_that_of_the_draws,
    ),
    Mutant(
        "a flow with the determinant upside down",
        (Flow, "log_prob"),
        density_with_the_determinant_upside_down,
        test_flow.test_the_density_is_that_of_the_draws,
    ),
    Mutant(
        "a coupling with its determinant upside down",
        (Coupling, "forward"),
        coupling_counted_upside_down,
        test_flow.test_log_det_is_that_of_the_jacobian,
        {"model": test_flow.flow()},
    ),
    Mutant(
        "a coupling that is told by what it moves",
        (Coupling, "_scale_shift"),
        coupling_that_reads_what_moves,
        test_flow.test_back_is_the_inverse_of_there,
        {"shape": (2,)},
    ),
    Mutant(
        "couplings undone in the wrong order",
        (Flow, "inverse"),
        couplings_not_turned_round,
        test_flow.test_back_is_the_inverse_of_there,
        {"shape": (2,)},
    ),
    Mutant(
        "precision and recall exchanged",
        precision_recall,
        recall_for_precision,
        test_metrics.test_precision_sees_what_is_invented_recall_what_is_missing,
    ),
    Mutant(
        "an interval with 1.96 for five seeds",
        mean_interval,
        interval_of_a_known_width,
        test_contest_results.test_the_interval_covers_as_often_as_it_says,
    ),
]


def put_in(mutant, monkeypatch):
    """Put the wrong function wherever the right one is in use."""
    if isinstance(mutant.right, tuple):
        owner, name = mutant.right
        wrong = mutant.wrong
        if not inspect.isfunction(owner.__dict__[name]):
            wrong = property(wrong)
        monkeypatch.setattr(owner, name, wrong)
        return
    for module in list(sys.modules.values()):
        name = getattr(module, "__name__", "")
        used = name.startswith(("diffusion_lite.", "test_"))
        if used and name != __name__:
            for key, value in list(vars(module).items()):
                if value is mutant.right:
                    monkeypatch.setattr(module, key, mutant.wrong)


def call(mutant):
    """Call the named test as pytest would."""
    arguments = dict(mutant.arguments)
    if "generator" in inspect.signature(mutant.test).parameters:
        arguments["generator"] = torch.Generator().manual_seed(0)
    mutant.test(**arguments)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_the_named_test_kills_the_mutant(mutant, monkeypatch):
    call(mutant)  # it passes on the right function ...
    put_in(mutant, monkeypatch)
    with pytest.raises(AssertionError):  # ... and not on the wrong one
        call(mutant)
