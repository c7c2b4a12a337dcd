"""Wrong answers: the best factor of a linear denoiser."""


def _parts(variance, t, schedule):
    a = float(schedule.alpha_bar[t])
    return a, (1 - a) ** 0.5, a * variance + 1 - a


def of_variance_1(variance, t, schedule):
    """It looks like best for data of variance 1."""
    return _parts(variance, t, schedule)[1]


def no_data(variance, t, schedule):
    """It looks like 1 over the root of 1 - alpha_bar, as if x_0 were 0."""
    return 1 / _parts(variance, t, schedule)[1]


def squared(variance, t, schedule):
    """It looks like the variance taken for a standard deviation."""
    a, root, _ = _parts(variance, t, schedule)
    return root / (a * variance**2 + 1 - a)


def no_root(variance, t, schedule):
    """It looks like 1 - alpha_bar without its root."""
    a, _, total = _parts(variance, t, schedule)
    return (1 - a) / total


def for_x_0(variance, t, schedule):
    """It looks like the best factor for x_0."""
    a, _, total = _parts(variance, t, schedule)
    return a**0.5 * variance / total


def divided_by_the_std(variance, t, schedule):
    """It looks like a division by the standard deviation of x_t."""
    _, root, total = _parts(variance, t, schedule)
    return root / total**0.5


def signed(variance, t, schedule):
    """It looks like the sign turned round."""
    _, root, total = _parts(variance, t, schedule)
    return -root / total


def error_itself(variance, t, schedule):
    """It looks like the error itself, not c."""
    a, _, total = _parts(variance, t, schedule)
    return a * variance / total


def with_alpha(variance, t, schedule):
    """It looks like alpha in the place of alpha_bar."""
    alpha = float(schedule.alpha[t])
    return (1 - alpha) ** 0.5 / (alpha * variance + 1 - alpha)


def both(variance, t, schedule):
    """return c alone."""
    a, root, total = _parts(variance, t, schedule)
    return root / total, a * variance / total
