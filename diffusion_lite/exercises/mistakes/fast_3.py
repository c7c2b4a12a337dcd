"""Wrong answers: the order of a solver, from its errors."""

import torch


def _slope(x, y):
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x * x).sum())


def _kept(steps, errors, floor):
    far = errors > 10 * floor
    return steps[far].double(), errors[far].double()


def negative(steps, errors, floor):
    """It looks like the slope: errors fall, so the order is minus that."""
    steps, errors = _kept(steps, errors, floor)
    return _slope(steps.log(), errors.log())


def with_the_floor(steps, errors, floor):
    """It looks like a fit that takes the rounding for errors of a solver."""
    return -_slope(steps.log(), errors.log())


def ends_with_the_floor(steps, errors, floor):
    """It looks like first and last error, and the last is rounding."""
    return float((errors[0] / errors[-1]).log() / (steps[-1] / steps[0]).log())


def without_logarithms(steps, errors, floor):
    """It looks like the slope of the errors, not of their logarithms."""
    steps, errors = _kept(steps, errors, floor)
    return -_slope(steps, errors)


def one_logarithm(steps, errors, floor):
    """It looks like the logarithm of the errors alone."""
    steps, errors = _kept(steps, errors, floor)
    return -_slope(steps, errors.log())


def two_bases(steps, errors, floor):
    """It looks like logarithms to different bases."""
    steps, errors = _kept(steps, errors, floor)
    return -_slope(steps.log2(), errors.log())


def two_bases_too(steps, errors, floor):
    """It looks like logarithms to two bases, 10 and e."""
    steps, errors = _kept(steps, errors, floor)
    return -_slope(steps.log(), errors.log10())


def exchanged(steps, errors, floor):
    """It looks like steps over errors: one over the order."""
    steps, errors = _kept(steps, errors, floor)
    return -_slope(errors.log(), steps.log())


def factor(steps, errors, floor):
    """It looks like the factor by which errors fall, not its logarithm."""
    steps, errors = _kept(steps, errors, floor)
    return float((errors[0] / errors[-1]) / (steps[-1] / steps[0]))


def all_slopes(steps, errors, floor):
    """and not a number"""
    steps, errors = _kept(steps, errors, floor)
    return -torch.diff(errors.log()) / torch.diff(steps.log())
