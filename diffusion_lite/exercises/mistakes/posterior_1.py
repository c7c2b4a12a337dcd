"""Wrong answers: the mean and the variance of q(x_s | x_t, x_0)."""


def _weights(s, t, schedule):
    a_s, a_t = schedule.alpha_bar[s], schedule.alpha_bar[t]
    keep = a_t / a_s
    of_0 = a_s.sqrt() * (1 - keep) / (1 - a_t)
    of_t = keep.sqrt() * (1 - a_s) / (1 - a_t)
    return of_0, of_t, (1 - keep) * (1 - a_s) / (1 - a_t)


def _right(x_0, x_t, s, t, schedule):
    of_0, of_t, variance = _weights(s, t, schedule)
    return of_0 * x_0 + of_t * x_t, variance


def mean_without_x_t(x_0, x_t, s, t, schedule):
    """It looks like the mean of q(x_s | x_0), without x_t."""
    _, variance = _right(x_0, x_t, s, t, schedule)
    return schedule.alpha_bar[s].sqrt() * x_0, variance


def weights_exchanged(x_0, x_t, s, t, schedule):
    """It looks like the weights exchanged."""
    of_0, of_t, variance = _weights(s, t, schedule)
    return of_t * x_0 + of_0 * x_t, variance


def alpha_bar_on_x_t(x_0, x_t, s, t, schedule):
    """It looks like a weight of x_t with sqrt(alpha_bar_t)."""
    of_0, of_t, variance = _weights(s, t, schedule)
    of_t = of_t * schedule.alpha_bar[s].sqrt()
    return of_0 * x_0 + of_t * x_t, variance


def no_root_on_x_t(x_0, x_t, s, t, schedule):
    """It looks like a weight of x_t without its root."""
    of_0, of_t, variance = _weights(s, t, schedule)
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return of_0 * x_0 + keep.sqrt() * of_t * x_t, variance


def no_root_on_x_0(x_0, x_t, s, t, schedule):
    """It looks like a weight of x_0 without its root."""
    of_0, of_t, variance = _weights(s, t, schedule)
    return schedule.alpha_bar[s].sqrt() * of_0 * x_0 + of_t * x_t, variance


def no_roots(x_0, x_t, s, t, schedule):
    """It looks like two weights without their roots."""
    of_0, of_t, variance = _weights(s, t, schedule)
    a_s, a_t = schedule.alpha_bar[s], schedule.alpha_bar[t]
    of_0, of_t = of_0 * a_s.sqrt(), of_t * (a_t / a_s).sqrt()
    return of_0 * x_0 + of_t * x_t, variance


def of_one_step(x_0, x_t, s, t, schedule):
    """It looks like alpha_t and beta_t of one step, where s is not t - 1."""
    a_s, a_t = schedule.alpha_bar[s], schedule.alpha_bar[t]
    of_0 = a_s.sqrt() * schedule.beta[t] / (1 - a_t)
    of_t = schedule.alpha[t].sqrt() * (1 - a_s) / (1 - a_t)
    return of_0 * x_0 + of_t * x_t, _weights(s, t, schedule)[2]


def mean_of_the_step_before(x_0, x_t, s, t, schedule):
    """It looks like the mean one step back, where s is not t - 1."""
    mean, _ = _right(x_0, x_t, t - 1, t, schedule)
    return mean, _weights(s, t, schedule)[2]


def product_shifted(x_0, x_t, s, t, schedule):
    """It looks like alpha[s:t]: the steps from s to t are s + 1, ..., t."""
    a_s, a_t = schedule.alpha_bar[s], schedule.alpha_bar[t]
    keep = schedule.alpha[s:t].prod()
    of_0 = a_s.sqrt() * (1 - keep) / (1 - a_t)
    of_t = keep.sqrt() * (1 - a_s) / (1 - a_t)
    variance = (1 - keep) * (1 - a_s) / (1 - a_t)
    return of_0 * x_0 + of_t * x_t, variance


def not_times_the_variance(x_0, x_t, s, t, schedule):
    """It looks like a mean that is still to be multiplied by the variance."""
    mean, variance = _right(x_0, x_t, s, t, schedule)
    return mean / variance, variance


def exchanged(x_0, x_t, s, t, schedule):
    """It looks like the mean and the variance exchanged."""
    mean, variance = _right(x_0, x_t, s, t, schedule)
    return variance, mean


def deviation(x_0, x_t, s, t, schedule):
    """It looks like the standard deviation."""
    mean, variance = _right(x_0, x_t, s, t, schedule)
    return mean, variance.sqrt()


def precision(x_0, x_t, s, t, schedule):
    """It looks like the precision, 1 / variance."""
    mean, variance = _right(x_0, x_t, s, t, schedule)
    return mean, 1 / variance


def variance_of_one_step(x_0, x_t, s, t, schedule):
    """It looks like beta_t of one step, where s is not t - 1."""
    mean, _ = _right(x_0, x_t, s, t, schedule)
    a_s, a_t = schedule.alpha_bar[s], schedule.alpha_bar[t]
    return mean, schedule.beta[t] * (1 - a_s) / (1 - a_t)


def variance_without_x_t(x_0, x_t, s, t, schedule):
    """It looks like the variance of q(x_s | x_0), without x_t."""
    mean, _ = _right(x_0, x_t, s, t, schedule)
    return mean, 1 - schedule.alpha_bar[s]


def precision_without_x_t(x_0, x_t, s, t, schedule):
    """It looks like the precision of q(x_s | x_0), without x_t."""
    mean, _ = _right(x_0, x_t, s, t, schedule)
    return mean, 1 / (1 - schedule.alpha_bar[s])


def variance_of_the_step(x_0, x_t, s, t, schedule):
    """It looks like the variance of the step from s to t."""
    mean, _ = _right(x_0, x_t, s, t, schedule)
    return mean, 1 - schedule.alpha_bar[t] / schedule.alpha_bar[s]


def mean_alone(x_0, x_t, s, t, schedule):
    """not two things"""
    return _right(x_0, x_t, s, t, schedule)[0]


def one_mean_for_all(x_0, x_t, s, t, schedule):
    """each has a mean of its own"""
    mean, variance = _right(x_0, x_t, s, t, schedule)
    return mean.mean() + 0 * x_t, variance


def first_entry_alone(x_0, x_t, s, t, schedule):
    """it must be (3,)"""
    mean, variance = _right(x_0, x_t, s, t, schedule)
    return mean[0], variance


def variances_added(x_0, x_t, s, t, schedule):
    """with three at once it is not: it is the same for each"""
    mean, variance = _right(x_0, x_t, s, t, schedule)
    return mean, variance * len(x_t)
