"""Wrong answers: the divergence of two Gaussians."""

import math


def turned(m_1, v_1, m_2, v_2):
    """It looks like the divergence the other way round."""
    return ((v_1 / v_2).log() + (v_2 + (m_1 - m_2) ** 2) / v_1 - 1) / 2


def no_half(m_1, v_1, m_2, v_2):
    """It looks like twice too much, the half is missing."""
    return (v_2 / v_1).log() + (v_1 + (m_1 - m_2) ** 2) / v_2 - 1


def log_upside_down(m_1, v_1, m_2, v_2):
    """It looks like the logarithm upside down."""
    return ((v_1 / v_2).log() + (v_1 + (m_1 - m_2) ** 2) / v_2 - 1) / 2


def no_one(m_1, v_1, m_2, v_2):
    """It looks like the 1 forgotten."""
    return ((v_2 / v_1).log() + (v_1 + (m_1 - m_2) ** 2) / v_2) / 2


def not_squared(m_1, v_1, m_2, v_2):
    """It looks like the difference of the means, not squared."""
    return ((v_2 / v_1).log() + (v_1 + m_1 - m_2) / v_2 - 1) / 2


def standard_deviations(m_1, v_1, m_2, v_2):
    """It looks like variances taken for standard deviations."""
    squared = (m_1 - m_2) ** 2
    return (v_2 / v_1).log() + (v_1**2 + squared) / (2 * v_2**2) - 0.5


def means_alone(m_1, v_1, m_2, v_2):
    """It looks like the distance of the means alone."""
    return (m_1 - m_2) ** 2 / (2 * v_2)


def v_1_forgotten(m_1, v_1, m_2, v_2):
    """It looks like v_1 forgotten in the fraction."""
    return ((v_2 / v_1).log() + (m_1 - m_2) ** 2 / v_2 - 1) / 2


def fraction_exchanged(m_1, v_1, m_2, v_2):
    """It looks like v_1 and v_2 exchanged in the fraction."""
    return ((v_2 / v_1).log() + (v_2 + (m_1 - m_2) ** 2) / v_1 - 1) / 2


def half_of_the_logarithm(m_1, v_1, m_2, v_2):
    """It looks like the half on the logarithm alone."""
    return (v_2 / v_1).log() / 2 + (v_1 + (m_1 - m_2) ** 2) / v_2 - 1


def half_of_the_fraction(m_1, v_1, m_2, v_2):
    """It looks like the half on the fraction alone."""
    return (v_2 / v_1).log() + (v_1 + (m_1 - m_2) ** 2) / v_2 / 2 - 1


def summed(m_1, v_1, m_2, v_2):
    """There must be one divergence for each of the three."""
    return ((v_2 / v_1).log() + (v_1 + (m_1 - m_2) ** 2) / v_2 - 1).sum() / 2


def summed_and_spread(m_1, v_1, m_2, v_2):
    """It looks like a sum over all, not one for each."""
    each = ((v_2 / v_1).log() + (v_1 + (m_1 - m_2) ** 2) / v_2 - 1) / 2
    return each.sum().expand(len(each))


def averaged(m_1, v_1, m_2, v_2):
    """It looks like a mean over all, not one for each."""
    each = ((v_2 / v_1).log() + (v_1 + (m_1 - m_2) ** 2) / v_2 - 1) / 2
    return each.mean().expand(len(each))


def summed_and_kept(m_1, v_1, m_2, v_2):
    """There must be one divergence for each of the three."""
    each = ((v_2 / v_1).log() + (v_1 + (m_1 - m_2) ** 2) / v_2 - 1) / 2
    return each.sum(0, keepdim=True)


def a_float(m_1, v_1, m_2, v_2):
    """There must be one divergence for each of the three."""
    each = ((v_2 / v_1).log() + (v_1 + (m_1 - m_2) ** 2) / v_2 - 1) / 2
    return float(each.mean())


def of_one_number(m_1, v_1, m_2, v_2):
    """math.log takes one number, torch.log takes all three."""
    return (math.log(v_2 / v_1) + (v_1 + (m_1 - m_2) ** 2) / v_2 - 1) / 2


def mean_distance(m_1, v_1, m_2, v_2):
    """It looks like one distance for all, the mean of the three."""
    distance = ((m_1 - m_2) ** 2).mean()
    return ((v_2 / v_1).log() + (v_1 + distance) / v_2 - 1) / 2
