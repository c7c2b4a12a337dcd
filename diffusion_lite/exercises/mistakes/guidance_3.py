"""Wrong answers: a denoiser that asks a classifier."""

import torch


def _slope(of, x_t):
    x = x_t.detach().requires_grad_()
    return torch.autograd.grad(of(x).sum(), x)[0]


def plus(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """It looks like a plus: eps_hat points against the score."""
    std = (1 - alpha_bar_t).sqrt()
    return eps_hat + w * std * _slope(log_prob, x_t)


def no_root(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """It looks like 1 - alpha_bar_t without its root."""
    return eps_hat - w * (1 - alpha_bar_t) * _slope(log_prob, x_t)


def the_signal_s_factor(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """It looks like sqrt(alpha_bar_t): it is the noise's factor."""
    return eps_hat - w * alpha_bar_t.sqrt() * _slope(log_prob, x_t)


def no_factor(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """It looks like a slope without its factor, as if eps were a score."""
    return eps_hat - w * _slope(log_prob, x_t)


def divided(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """It looks like division by the root, which makes a score of an eps."""
    std = (1 - alpha_bar_t).sqrt()
    return eps_hat - w * _slope(log_prob, x_t) / std


def a_score(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """It looks like the guided score, still to be made an eps."""
    std = (1 - alpha_bar_t).sqrt()
    return -eps_hat / std + w * _slope(log_prob, x_t)


def mean_over_the_batch(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """It looks like the slope of a mean over the batch: B times too small."""
    slope = _slope(lambda x: log_prob(x).mean(), x_t)
    return eps_hat - w * (1 - alpha_bar_t).sqrt() * slope


def slope_of_p(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """It looks like the slope of p, and not of log p."""
    slope = _slope(lambda x: log_prob(x).exp(), x_t)
    return eps_hat - w * (1 - alpha_bar_t).sqrt() * slope


def no_slope(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """It looks like log p itself, and not its slope."""
    std = (1 - alpha_bar_t).sqrt()
    return eps_hat - w * std * log_prob(x_t)[:, None]


def w_forgotten(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """It looks like w = 1, whatever w is."""
    return eps_hat - (1 - alpha_bar_t).sqrt() * _slope(log_prob, x_t)


def not_summed(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """Differentiate one number: the sum over the rows"""
    x = x_t.detach().requires_grad_()
    (slope,) = torch.autograd.grad(log_prob(x), x)
    return eps_hat - w * (1 - alpha_bar_t).sqrt() * slope


def never_asked_for(eps_hat, x_t, log_prob, alpha_bar_t, w):
    """A tensor has no slope unless you ask for it beforehand"""
    (slope,) = torch.autograd.grad(log_prob(x_t).sum(), x_t)
    return eps_hat - w * (1 - alpha_bar_t).sqrt() * slope
