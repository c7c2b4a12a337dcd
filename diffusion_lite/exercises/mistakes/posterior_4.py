"""Wrong answers: the posterior's mean still has a bug."""


def alpha_bar_on_x_t(x_0, x_t, t, schedule):
    """It looks like sqrt(alpha_bar_t) still on x_t."""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    of_0 = a_s.sqrt() * schedule.beta[t] / (1 - a_t)
    return of_0 * x_0 + a_t.sqrt() * (1 - a_s) / (1 - a_t) * x_t


def alpha_on_x_0(x_0, x_t, t, schedule):
    """It looks like sqrt(alpha_t) on x_0."""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    root = schedule.alpha[t].sqrt()
    return (root * schedule.beta[t] * x_0 + root * (1 - a_s) * x_t) / (1 - a_t)


def no_root(x_0, x_t, t, schedule):
    """It looks like alpha_t without its root."""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    of_0 = a_s.sqrt() * schedule.beta[t] / (1 - a_t)
    return of_0 * x_0 + schedule.alpha[t] * (1 - a_s) / (1 - a_t) * x_t


def exchanged(x_0, x_t, t, schedule):
    """It looks like the weights exchanged."""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    of_0 = a_s.sqrt() * schedule.beta[t] / (1 - a_t)
    of_t = schedule.alpha[t].sqrt() * (1 - a_s) / (1 - a_t)
    return of_t * x_0 + of_0 * x_t


def alpha_bar_t_on_x_0(x_0, x_t, t, schedule):
    """It looks like sqrt(alpha_bar_t) on x_0."""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    of_0 = a_t.sqrt() * schedule.beta[t] / (1 - a_t)
    return of_0 * x_0 + schedule.alpha[t].sqrt() * (1 - a_s) / (1 - a_t) * x_t


def not_divided(x_0, x_t, t, schedule):
    """It looks like the division by 1 - alpha_bar_t forgotten."""
    a_s = schedule.alpha_bar[t - 1]
    of_t = schedule.alpha[t].sqrt() * (1 - a_s)
    return a_s.sqrt() * schedule.beta[t] * x_0 + of_t * x_t


def of_the_step_before(x_0, x_t, t, schedule):
    """It looks like sqrt(alpha_bar_{t-1}) on x_t."""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    of_0 = a_s.sqrt() * schedule.beta[t] / (1 - a_t)
    return of_0 * x_0 + a_s.sqrt() * (1 - a_s) / (1 - a_t) * x_t


def first_start_for_all(x_0, x_t, t, schedule):
    """It looks like the first x_0 for all three."""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    of_0 = a_s.sqrt() * schedule.beta[t] / (1 - a_t)
    of_t = schedule.alpha[t].sqrt() * (1 - a_s) / (1 - a_t)
    return of_0 * x_0[0] + of_t * x_t


def another_weight_and_the_bug(x_0, x_t, t, schedule):
    """sqrt(alpha_bar_t) still on x_t, and another weight on x_0"""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    of_0 = schedule.alpha[t].sqrt() * schedule.beta[t] / (1 - a_t)
    return of_0 * x_0 + a_t.sqrt() * (1 - a_s) / (1 - a_t) * x_t


def alpha_bar_without_root_on_x_0(x_0, x_t, t, schedule):
    """a wrong weight on x_0; that on x_t is right"""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    of_t = schedule.alpha[t].sqrt() * (1 - a_s) / (1 - a_t)
    return a_s * schedule.beta[t] / (1 - a_t) * x_0 + of_t * x_t


def no_factor_on_x_t(x_0, x_t, t, schedule):
    """a wrong weight on x_t; that on x_0 is right"""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    of_0 = a_s.sqrt() * schedule.beta[t] / (1 - a_t)
    return of_0 * x_0 + (1 - a_s) / (1 - a_t) * x_t


def in_place(x_0, x_t, t, schedule):
    """It changes what it is given."""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    of_t = schedule.alpha[t].sqrt() * (1 - a_s) / (1 - a_t)
    of_0 = schedule.beta[t] / (1 - a_t) * a_s.sqrt_()
    return of_0 * x_0 + of_t * x_t
