"""Wrong answers: a pixel in levels."""

import torch


def _between(borders, mean, std):
    below = torch.special.ndtr((borders - mean) / std)
    zero, one = torch.zeros(1), torch.ones(1)
    return torch.cat([zero, below, one]).diff()


def _levels(n):
    return torch.linspace(-1, 1, n, dtype=torch.float64)


def no_tails(mean, std, n):
    """Do both outer levels get their tails?"""
    half = 1 / (n - 1)
    upper = torch.special.ndtr((_levels(n) + half - mean) / std)
    return upper - torch.special.ndtr((_levels(n) - half - mean) / std)


def density(mean, std, n):
    """It looks like the density at each level, not between two borders."""
    p = torch.distributions.Normal(mean, std).log_prob(_levels(n)).exp()
    return p * 2 / (n - 1)


def divided_density(mean, std, n):
    """It looks like the density at each level, not between two borders."""
    p = torch.distributions.Normal(mean, std).log_prob(_levels(n)).exp()
    return p / p.sum()


def borders_on_the_levels(mean, std, n):
    """It looks like borders on the levels, not half way between them."""
    return _between(_levels(n)[1:], mean, std)


def even_borders(mean, std, n):
    """It looks like n bins of one width between -1 and 1."""
    return _between(torch.linspace(-1, 1, n + 1)[1:-1], mean, std)


def variance_for_std(mean, std, n):
    """It looks like std squared for std."""
    return _between((_levels(n)[1:] + _levels(n)[:-1]) / 2, mean, std**2)


def one_too_many(mean, std, n):
    """it must be"""
    return _between(_levels(n), mean, std)


def below_0(mean, std, n):
    """one probability is below 0"""
    return -_between((_levels(n)[1:] + _levels(n)[:-1]) / 2, mean, std)


def not_half_way(mean, std, n):
    """Are the borders half way to its neighbours?"""
    return _between(0.3 * _levels(n)[1:] + 0.7 * _levels(n)[:-1], mean, std)


def no_lower_tail(mean, std, n):
    """Do both outer levels get their tails?"""
    below = _levels(n) - 1 / (n - 1)
    p = torch.special.ndtr((below - mean) / std)
    return torch.cat([p, torch.ones(1)]).diff()


def no_upper_tail(mean, std, n):
    """Do both outer levels get their tails?"""
    above = _levels(n) + 1 / (n - 1)
    p = torch.special.ndtr((above - mean) / std)
    return torch.cat([torch.zeros(1), p]).diff()


def a_whole_step(mean, std, n):
    """more than 1, the levels overlap:"""
    step = 2 / (n - 1)
    upper = torch.special.ndtr((_levels(n) + step - mean) / std)
    return upper - torch.special.ndtr((_levels(n) - step - mean) / std)


def reversed_order(mean, std, n):
    """It looks like the levels in reversed order."""
    middle = (_levels(n)[1:] + _levels(n)[:-1]) / 2
    return _between(middle, mean, std).flip(0)


def root_for_std(mean, std, n):
    """It looks like the root of std for std."""
    middle = (_levels(n)[1:] + _levels(n)[:-1]) / 2
    return _between(middle, mean, std**0.5)
