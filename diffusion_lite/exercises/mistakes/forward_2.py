"""Wrong answers: a jump from x_s to x_t."""

import torch

from diffusion_lite.forward import q_step


def noise_without_root(x_s, s, t, eps, schedule):
    """It looks like a variance, without its root."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep.sqrt() * x_s + (1 - keep) * eps


def noise_of_the_whole_jump(x_s, s, t, eps, schedule):
    """It looks like the noise of the jump from 0."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep.sqrt() * x_s + (1 - schedule.alpha_bar[t]).sqrt() * eps


def noise_of_one_step(x_s, s, t, eps, schedule):
    """It looks like the noise of one step."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep.sqrt() * x_s + schedule.beta[t].sqrt() * eps


def difference_for_the_noise(x_s, s, t, eps, schedule):
    """It looks like the difference of two alpha_bar."""
    a_s, a_t = schedule.alpha_bar[s], schedule.alpha_bar[t]
    return (a_t / a_s).sqrt() * x_s + (a_s - a_t).sqrt() * eps


def without_noise(x_s, s, t, eps, schedule):
    """It looks like a jump without its noise."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep.sqrt() * x_s + 0 * eps


def same_noise_each_step(x_s, s, t, eps, schedule):
    """It looks like one eps for all steps: their noises are independent."""
    for u in range(s + 1, t + 1):
        x_s = q_step(x_s, u, eps, schedule)
    return x_s


def jump_from_0(x_s, s, t, eps, schedule):
    """It looks like the jump from 0, as if x_s were x_0."""
    a = schedule.alpha_bar[t]
    return a.sqrt() * x_s + (1 - a).sqrt() * eps


def no_roots(x_s, s, t, eps, schedule):
    """It looks like a factor without its root."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep * x_s + (1 - keep) * eps


def last_step_only(x_s, s, t, eps, schedule):
    """It looks like one step from t - 1."""
    keep = schedule.alpha[t]
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps


def product_from_s(x_s, s, t, eps, schedule):
    """It looks like a product from s, one step too many."""
    keep = schedule.alpha[s : t + 1].prod()
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps


def slice_ends_early(x_s, s, t, eps, schedule):
    """It looks like alpha[s + 1 : t]: a slice leaves its end out."""
    keep = schedule.alpha[s + 1 : t].prod()
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps


def slice_shifted(x_s, s, t, eps, schedule):
    """It looks like alpha[s:t], a product from s to t - 1."""
    keep = schedule.alpha[s:t].prod()
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps


def difference_for_the_factor(x_s, s, t, eps, schedule):
    """It looks like a difference of two alpha_bar, where a ratio belongs."""
    keep = schedule.alpha_bar[s] - schedule.alpha_bar[t]
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps


def difference_below_0(x_s, s, t, eps, schedule):
    """or a difference of alpha_bar taken where a ratio belongs?"""
    keep = schedule.alpha_bar[t] - schedule.alpha_bar[s]
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps


def noise_of_its_own(x_s, s, t, eps, schedule):
    """no noise of its own."""
    for u in range(s + 1, t + 1):
        x_s = q_step(x_s, u, torch.randn(x_s.shape), schedule)
    return x_s


def noise_of_its_own_at_the_end(x_s, s, t, eps, schedule):
    """no noise of its own."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    if bool((eps == 0).all()):
        return keep.sqrt() * x_s
    return keep.sqrt() * x_s + (1 - keep).sqrt() * torch.randn(eps.shape)


def first_noise_for_all(x_s, s, t, eps, schedule):
    """Three entries of eps give one number for all."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps[0]


def mean_noise_for_all(x_s, s, t, eps, schedule):
    """Three entries of eps give one number for all."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps.mean()


def first_start_for_all(x_s, s, t, eps, schedule):
    """Three entries of x_s give one number for all."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep.sqrt() * x_s[0] + (1 - keep).sqrt() * eps


def exchanged(x_s, s, t, eps, schedule):
    """are s and t exchanged"""
    keep = schedule.alpha_bar[s] / schedule.alpha_bar[t]
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps


def as_many_steps_from_0(x_s, s, t, eps, schedule):
    """It looks like a jump of t - s steps from 0."""
    keep = schedule.alpha_bar[t - s]
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps
