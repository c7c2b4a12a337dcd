"""Wrong answers: the variance of x_t for data of variance c."""


def the_root(c, t, schedule):
    """It looks like the standard deviation."""
    a = schedule.alpha_bar[t]
    return (a * c + 1 - a) ** 0.5


def noise_alone(c, t, schedule):
    """It looks like the noise alone, without the data."""
    return 1 - schedule.alpha_bar[t]


def data_alone(c, t, schedule):
    """It looks like the data alone, without the noise."""
    return schedule.alpha_bar[t] * c


def one_step(c, t, schedule):
    """It looks like one step only, with beta_t."""
    return (1 - schedule.beta[t]) * c + schedule.beta[t]


def c_squared(c, t, schedule):
    """It looks like c taken for a standard deviation."""
    a = schedule.alpha_bar[t]
    return a * c**2 + 1 - a


def factors_not_squared(c, t, schedule):
    """It looks like factors that are not squared."""
    a = schedule.alpha_bar[t]
    return a.sqrt() * c + (1 - a).sqrt()


def one_step_early(c, t, schedule):
    """It looks like the right formula one step early."""
    a = schedule.alpha_bar[t - 1]
    return a * c + 1 - a


def one_step_late(c, t, schedule):
    """It looks like the right formula one step late."""
    a = schedule.alpha_bar[t + 1]
    return a * c + 1 - a


def factor_not_squared(c, t, schedule):
    """It looks like a factor of c that is not squared."""
    a = schedule.alpha_bar[t]
    return a.sqrt() * c + 1 - a


def no_factor(c, t, schedule):
    """It looks like c without its factor."""
    return c + 1 - schedule.alpha_bar[t]


def one_noise(c, t, schedule):
    """It looks like the noise of one step only."""
    return schedule.alpha_bar[t] * c + schedule.beta[t]


def simulated(c, t, schedule):
    """Is it simulated?"""
    a = schedule.alpha_bar[t]
    return 1.005 * (a * c + 1 - a)
