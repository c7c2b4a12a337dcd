"""Wrong answers: what a code costs."""


def no_half(mean, variance):
    """It looks like twice too much: the half is missing."""
    return (mean**2 + variance - variance.log() - 1).sum(1)


def averaged(mean, variance):
    """It looks like a mean over the entries, not a sum."""
    return (mean**2 + variance - variance.log() - 1).mean(1) / 2


def log_turned(mean, variance):
    """It looks like the logarithm with the wrong sign."""
    return (mean**2 + variance + variance.log() - 1).sum(1) / 2


def no_one(mean, variance):
    """It looks like the 1 forgotten."""
    return (mean**2 + variance - variance.log()).sum(1) / 2


def from_the_logarithm(mean, variance):
    """It looks like the variance taken for a logarithm of it."""
    return (mean**2 + variance.exp() - variance - 1).sum(1) / 2


def turned(mean, variance):
    """It looks like the divergence the other way round."""
    return ((mean**2 + 1) / variance + variance.log() - 1).sum(1) / 2


def from_the_std(mean, variance):
    """It looks like the variance taken for a standard deviation."""
    return (mean**2 + variance**2 - 2 * variance.log() - 1).sum(1) / 2


def one_for_all(mean, variance):
    """it must be (4,)"""
    return (mean**2 + variance - variance.log() - 1).sum() / 2


def not_summed(mean, variance):
    """it must be (4,)"""
    return (mean**2 + variance - variance.log() - 1) / 2


def one_1_for_all(mean, variance):
    """It looks like the 1 taken off once, not for each entry."""
    each = mean**2 + variance - variance.log()
    return (each.sum(1) - 1) / 2


def log_of_the_std(mean, variance):
    """It looks like the logarithm of a standard deviation."""
    return (mean**2 + variance - variance.sqrt().log() - 1).sum(1) / 2
