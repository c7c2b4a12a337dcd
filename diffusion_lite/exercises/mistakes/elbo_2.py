"""Wrong answers: what an error of the noise costs in the bound."""

import math


def _parts(t, schedule):
    return schedule.beta[t], schedule.alpha[t], 1 - schedule.alpha_bar[t]


def no_two(t, schedule):
    """It looks like twice too much."""
    beta, alpha, noise = _parts(t, schedule)
    return beta / (alpha * noise)


def no_alpha(t, schedule):
    """It looks like alpha_t forgotten."""
    beta, _, noise = _parts(t, schedule)
    return beta / (2 * noise)


def alpha_bar(t, schedule):
    """It looks like alpha_bar_t for alpha_t."""
    beta, _, noise = _parts(t, schedule)
    return beta / (2 * schedule.alpha_bar[t] * noise)


def only_the_mean(t, schedule):
    """It looks like the error of the mean, not yet a divergence."""
    beta, alpha, noise = _parts(t, schedule)
    return beta / (alpha * noise).sqrt()


def not_squared(t, schedule):
    """It looks like beta_t in the place of its square."""
    _, alpha, noise = _parts(t, schedule)
    return 1 / (2 * alpha * noise)


def rooted(t, schedule):
    """It looks like 1 - alpha_bar with a root."""
    beta, alpha, noise = _parts(t, schedule)
    return beta / (2 * alpha * noise.sqrt())


def of_x_0(t, schedule):
    """It looks like the weight of x_0, the SNR."""
    return schedule.snr[t]


def simple(t, schedule):
    """It looks like 1, as in the simple loss."""
    return 1.0


def beta_tilde(t, schedule):
    """It looks like the variance beta-tilde, or alpha_bar one step early."""
    left = schedule.alpha[t] * (1 - schedule.alpha_bar[t - 1])
    return float(schedule.beta[t] / (2 * left))


def in_bits(t, schedule):
    """It looks like bits, not nats."""
    left = schedule.alpha[t] * (1 - schedule.alpha_bar[t])
    return float(schedule.beta[t] / (2 * left)) / math.log(2)


def alpha_bar_of_the_step_before(t, schedule):
    """or alpha_bar one step early."""
    left = schedule.alpha[t] * (1 - schedule.alpha_bar[t - 1])
    return schedule.beta[t] / (2 * left)
