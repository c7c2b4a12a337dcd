"""Wrong answers: an interval of a difference."""

from scipy import stats


def _parts(a, b):
    d = a - b
    return d.mean(), d.std(), len(d), stats.t.ppf(0.975, len(d) - 1)


def without_sign(a, b):
    """It looks like the mean's size, without its sign."""
    mean, std, n, t = _parts(a, b)
    return mean.abs(), t * std / n**0.5


def other_way_round(a, b):
    """It looks like b - a."""
    mean, std, n, t = _parts(a, b)
    return -mean, t * std / n**0.5


def known_deviation(a, b):
    """It looks like 1.96, which is for a known standard deviation."""
    mean, std, n, _ = _parts(a, b)
    return mean, 1.96 * std / n**0.5


def standard_error(a, b):
    """It looks like the standard error, without Student's t."""
    mean, std, n, _ = _parts(a, b)
    return mean, std / n**0.5


def no_root(a, b):
    """It looks like no division by the root of n."""
    mean, std, _, t = _parts(a, b)
    return mean, t * std


def whole_interval(a, b):
    """It looks like the whole interval, not half of it."""
    mean, std, n, t = _parts(a, b)
    return mean, 2 * t * std / n**0.5


def not_paired(a, b):
    """It looks like two samples that know nothing of each other, not pairs."""
    mean, _, n, t = _parts(a, b)
    return mean, t * ((a.var() + b.var()) / n) ** 0.5


def wrong_degrees(a, b):
    """It looks like n in the place of n - 1 degrees."""
    mean, std, n, _ = _parts(a, b)
    return mean, stats.t.ppf(0.975, n) * std / n**0.5


def one_sided(a, b):
    """It looks like a one-sided 95 %."""
    mean, std, n, _ = _parts(a, b)
    return mean, stats.t.ppf(0.95, n - 1) * std / n**0.5


def ends(a, b):
    """It looks like the lower end, not the mean."""
    mean, std, n, t = _parts(a, b)
    return mean - t * std / n**0.5, mean + t * std / n**0.5


def exchanged(a, b):
    """It looks like the half width."""
    mean, std, n, t = _parts(a, b)
    return t * std / n**0.5, mean


def median(a, b):
    """It looks like the median."""
    _, std, n, t = _parts(a, b)
    return (a - b).median(), t * std / n**0.5


def divided_by_n(a, b):
    """It looks like a spread divided by n, not n - 1."""
    mean, _, n, t = _parts(a, b)
    return mean, t * (a - b).std(correction=0) / n**0.5


def by_ttest_ind(a, b):
    """It looks like two samples, not pairs, by ttest_ind."""
    low, high = stats.ttest_ind(a, b).confidence_interval(0.95)
    return (low + high) / 2, (high - low) / 2
