"""Wrong answers: the flow's density still has a bug."""

import math


def _base_of(z):
    return -(z**2).sum(1) / 2 - math.log(2 * math.pi)


def wrong_sign(flow, x):
    """It looks like the determinant with the wrong sign."""
    z, log_det = flow(x)
    return _base_of(z) - log_det


def no_determinant(flow, x):
    """It looks like no determinant."""
    return _base_of(flow(x)[0])


def no_constant(flow, x):
    """It looks like no constant, log 2 pi."""
    z, log_det = flow(x)
    return -(z**2).sum(1) / 2 + log_det


def half_the_constant(flow, x):
    """It looks like half of the constant: for one number, not for two."""
    z, log_det = flow(x)
    return -(z**2).sum(1) / 2 - math.log(2 * math.pi) / 2 + log_det


def at_x(flow, x):
    """It looks like the noise's density at x, not at z."""
    return _base_of(x) + flow(x)[1]


def no_half(flow, x):
    """It looks like a square without its half."""
    z, log_det = flow(x)
    return -(z**2).sum(1) - math.log(2 * math.pi) + log_det


def density_itself(flow, x):
    """It looks like the density, not its logarithm."""
    z, log_det = flow(x)
    return (_base_of(z) + log_det).exp()


def averaged(flow, x):
    """It looks like a mean over the entries of z, not a sum."""
    z, log_det = flow(x)
    return -(z**2).mean(1) / 2 - math.log(2 * math.pi) + log_det


def counted_twice(flow, x):
    """It looks like the determinant counted twice."""
    z, log_det = flow(x)
    return _base_of(z) + 2 * log_det


def too_large(flow, x):
    """Added up over a fine grid your density comes to 1.10"""
    z, log_det = flow(x)
    return _base_of(z) + log_det + 0.1


def without_its_sign(flow, x):
    """It looks like the logarithm's size: the bars are the determinant's."""
    z, log_det = flow(x)
    return _base_of(z) + log_det.abs()
