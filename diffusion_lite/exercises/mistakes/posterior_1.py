"""Wrong answers: the mean and the variance of q(x_s | x_t, x_0)."""


def _weights(s, t, schedule):
    a_s, a_t = schedule.alpha_bar[s], schedule.alpha_bar[t]
    keep = a_t / a_s
    of_0 = a_s.sqrt() * (1 - keep) / (1 - a_t)
    of_t = keep.sqrt() * (1 - a_s) / (1 - a_t)
    return of_0, of_t, (1 - keep) * (1 - a_s) / (1 - a_t)


def mean_without_x_t(x_0, x_t, s, t, schedule):
    """It looks like the mean of q(x_s | x_0), without x_t."""
    _, _, variance = _weights(s, t, schedule)
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


def deviation(x_0, x_t, s, t, schedule):
    """It looks like the standard deviation."""
    of_0, of_t, variance = _weights(s, t, schedule)
    return of_0 * x_0 + of_t * x_t, variance.sqrt()


def variance_without_x_t(x_0, x_t, s, t, schedule):
    """It looks like the variance of q(x_s | x_0), without x_t."""
    of_0, of_t, _ = _weights(s, t, schedule)
    return of_0 * x_0 + of_t * x_t, 1 - schedule.alpha_bar[s]


def variance_of_the_step(x_0, x_t, s, t, schedule):
    """It looks like the variance of the step from s to t."""
    of_0, of_t, _ = _weights(s, t, schedule)
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return of_0 * x_0 + of_t * x_t, 1 - keep


def exchanged(x_0, x_t, s, t, schedule):
    """It looks like the mean and the variance exchanged."""
    of_0, of_t, variance = _weights(s, t, schedule)
    return variance, of_0 * x_0 + of_t * x_t


def mean_alone(x_0, x_t, s, t, schedule):
    """not two things"""
    of_0, of_t, _ = _weights(s, t, schedule)
    return of_0 * x_0 + of_t * x_t


def of_one_step(x_0, x_t, s, t, schedule):
    """of one step, where s is not t - 1"""
    a_s, a_t = schedule.alpha_bar[s], schedule.alpha_bar[t]
    of_0 = a_s.sqrt() * schedule.beta[t] / (1 - a_t)
    of_t = schedule.alpha[t].sqrt() * (1 - a_s) / (1 - a_t)
    return of_0 * x_0 + of_t * x_t, _weights(s, t, schedule)[2]


def variance_of_one_step(x_0, x_t, s, t, schedule):
    """It looks like beta_t of one step, where s is not t - 1."""
    of_0, of_t, _ = _weights(s, t, schedule)
    a_s, a_t = schedule.alpha_bar[s], schedule.alpha_bar[t]
    return of_0 * x_0 + of_t * x_t, schedule.beta[t] * (1 - a_s) / (1 - a_t)


def precision(x_0, x_t, s, t, schedule):
    """It looks like the precision, 1 / variance."""
    of_0, of_t, variance = _weights(s, t, schedule)
    return of_0 * x_0 + of_t * x_t, 1 / variance


def no_root_on_x_t(x_0, x_t, s, t, schedule):
    """It looks like a weight of x_t without its root."""
    of_0, of_t, variance = _weights(s, t, schedule)
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return of_0 * x_0 + keep.sqrt() * of_t * x_t, variance


def one_mean_for_all(x_0, x_t, s, t, schedule):
    """each has a mean of its own"""
    of_0, of_t, variance = _weights(s, t, schedule)
    return (of_0 * x_0 + of_t * x_t).mean() + 0 * x_t, variance


def first_entry_alone(x_0, x_t, s, t, schedule):
    """it must be (3,)"""
    of_0, of_t, variance = _weights(s, t, schedule)
    return (of_0 * x_0 + of_t * x_t)[0], variance


def variances_added(x_0, x_t, s, t, schedule):
    """with three at once it is not: it is the same for each"""
    of_0, of_t, variance = _weights(s, t, schedule)
    return of_0 * x_0 + of_t * x_t, variance * len(x_t)
