"""Wrong answers: a pixel in levels."""

import torch


def between(borders, mean, std):
    below = torch.special.ndtr((borders - mean) / std)
    zero, one = torch.zeros(1), torch.ones(1)
    return torch.cat([zero, below, one]).diff()


def levels(n):
    return torch.linspace(-1, 1, n, dtype=torch.float64)


def no_tails(mean, std, n):
    """do the outer levels get their tails?"""
    half = 1 / (n - 1)
    upper = torch.special.ndtr((levels(n) + half - mean) / std)
    return upper - torch.special.ndtr((levels(n) - half - mean) / std)


def density(mean, std, n):
    """do the outer levels get their tails?"""
    p = torch.distributions.Normal(mean, std).log_prob(levels(n)).exp()
    return p * 2 / (n - 1)


def divided_density(mean, std, n):
    """are the borders half a level away?"""
    p = torch.distributions.Normal(mean, std).log_prob(levels(n)).exp()
    return p / p.sum()


def borders_on_the_levels(mean, std, n):
    """are the borders half a level away?"""
    return between(levels(n)[1:], mean, std)


def even_borders(mean, std, n):
    """are the borders half a level away?"""
    return between(torch.linspace(-1, 1, n + 1)[1:-1], mean, std)


def variance_for_std(mean, std, n):
    """are the borders half a level away?"""
    return between((levels(n)[1:] + levels(n)[:-1]) / 2, mean, std**2)


def one_too_many(mean, std, n):
    """it must be"""
    return between(levels(n), mean, std)
