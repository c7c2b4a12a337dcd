"""Wrong answers: the step back of N(0, 1) data."""


def divided(x_t, t, schedule):
    """It looks like x_t divided by the root of alpha_t."""
    return x_t / schedule.alpha[t].sqrt(), schedule.beta[t]


def not_shrunk(x_t, t, schedule):
    """It looks like x_t itself."""
    return x_t, schedule.beta[t]


def without_root(x_t, t, schedule):
    """It looks like alpha_t without its root."""
    return schedule.alpha[t] * x_t, schedule.beta[t]


def of_all_steps(x_t, t, schedule):
    """It looks like alpha_bar, of all steps."""
    return schedule.alpha_bar[t].sqrt() * x_t, schedule.beta[t]


def knows_x_0(x_t, t, schedule):
    """It looks like the posterior's, which knows x_0."""
    a_s, a_t = schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
    tilde = schedule.beta[t] * (1 - a_s) / (1 - a_t)
    return schedule.alpha[t].sqrt() * x_t, tilde


def deviation(x_t, t, schedule):
    """It looks like the standard deviation."""
    return schedule.alpha[t].sqrt() * x_t, schedule.beta[t].sqrt()


def kept(x_t, t, schedule):
    """It looks like alpha_t, what is kept."""
    return schedule.alpha[t].sqrt() * x_t, schedule.alpha[t]


def not_seen(x_t, t, schedule):
    """It looks like the distribution of x_s, before x_t is seen."""
    return schedule.alpha[t].sqrt() * x_t, 1.0


def a_single_number(x_t, t, schedule):
    """it must be (3,)"""
    return schedule.alpha[t].sqrt() * x_t.sum(), schedule.beta[t]


def one_mean_for_all(x_t, t, schedule):
    """each has a mean of its own"""
    mean = schedule.alpha[t].sqrt() * x_t.mean()
    return mean.expand(x_t.shape), schedule.beta[t]


def spread_of_what_is_given(x_t, t, schedule):
    """it is the same for each"""
    spread = x_t.std() if len(x_t) > 1 else 1.0
    return schedule.alpha[t].sqrt() * x_t, schedule.beta[t] * spread
