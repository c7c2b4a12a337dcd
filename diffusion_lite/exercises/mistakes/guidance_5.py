"""Wrong answers: the distribution that w names, for two Gaussians."""


def _tilted(mean, variance, mean_all, variance_all, w, rest=None):
    """Return mean and precision, with exponents w and 1 - w, or rest."""
    rest = 1 - w if rest is None else rest
    precision = w / variance + rest / variance_all
    both = w * mean / variance + rest * mean_all / variance_all
    return both / precision, precision


def counted_from_the_class(mean, variance, mean_all, variance_all, w):
    """It looks like w counted from the class: exponents 1 + w and -w."""
    middle, precision = _tilted(mean, variance, mean_all, variance_all, 1 + w)
    return middle, 1 / precision


def the_answers_line(mean, variance, mean_all, variance_all, w):
    """It looks like means and variances mixed as the answers are."""
    middle = mean_all + w * (mean - mean_all)
    return middle, variance_all + w * (variance - variance_all)


def variances_mixed(mean, variance, mean_all, variance_all, w):
    """It looks like a mix of the variances: the precisions are mixed."""
    middle, _ = _tilted(mean, variance, mean_all, variance_all, w)
    return middle, w * variance + (1 - w) * variance_all


def mean_on_the_line(mean, variance, mean_all, variance_all, w):
    """It looks like a mean on the line of both: precisions weigh it, too."""
    _, precision = _tilted(mean, variance, mean_all, variance_all, w)
    return mean_all + w * (mean - mean_all), 1 / precision


def a_whole_power_of_all(mean, variance, mean_all, variance_all, w):
    """It looks like exponents 1 and w: in q(y | x)^w there is q(x)^-w."""
    middle, precision = _tilted(mean, variance, mean_all, variance_all, w, 1)
    return middle, 1 / precision


def without_all(mean, variance, mean_all, variance_all, w):
    """It looks like q(x | y)^w alone, without q(x)^(1 - w)."""
    return mean, variance / max(w, 1e-6)


def exponents_exchanged(mean, variance, mean_all, variance_all, w):
    """It looks like w on the distribution of all: it belongs to the class."""
    middle, precision = _tilted(mean_all, variance_all, mean, variance, w)
    return middle, 1 / precision


def the_precision(mean, variance, mean_all, variance_all, w):
    """It looks like the precision, and not the variance, one over it."""
    return _tilted(mean, variance, mean_all, variance_all, w)


def the_deviation(mean, variance, mean_all, variance_all, w):
    """It looks like the standard deviation, and not the variance."""
    middle, precision = _tilted(mean, variance, mean_all, variance_all, w)
    return middle, precision**-0.5


def of_deviations(mean, variance, mean_all, variance_all, w):
    """It looks like standard deviations where variances belong."""
    std, std_all = variance**0.5, variance_all**0.5
    middle, precision = _tilted(mean, std, mean_all, std_all, w)
    return middle, 1 / precision


def not_divided(mean, variance, mean_all, variance_all, w):
    """It looks like a mean still to be divided by the precision."""
    middle, precision = _tilted(mean, variance, mean_all, variance_all, w)
    return middle * precision, 1 / precision


def the_mean_alone(mean, variance, mean_all, variance_all, w):
    """two things: return a, b"""
    return _tilted(mean, variance, mean_all, variance_all, w)[0]


def for_1_and_2_only(mean, variance, mean_all, variance_all, w):
    """It looks like the formula of the variances 1 and 2, and no others."""
    return 2 * w / (1 + w) * mean, 2 / (1 + w)
