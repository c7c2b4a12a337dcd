"""Wrong answers: a jump from x_s to x_t."""


def jump_from_0(x_s, s, t, eps, schedule):
    """It looks like the jump from 0, as if x_s were x_0."""
    a = schedule.alpha_bar[t]
    return a.sqrt() * x_s + (1 - a).sqrt() * eps


def no_roots(x_s, s, t, eps, schedule):
    """It looks like a factor without its root."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep * x_s + (1 - keep) * eps


def noise_without_root(x_s, s, t, eps, schedule):
    """It looks like a variance, without its root."""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep.sqrt() * x_s + (1 - keep) * eps


def last_step_only(x_s, s, t, eps, schedule):
    """It looks like one step from t - 1."""
    keep = schedule.alpha[t]
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps


def product_from_s(x_s, s, t, eps, schedule):
    """It looks like a product from s, one step too many."""
    keep = schedule.alpha[s : t + 1].prod()
    return keep.sqrt() * x_s + (1 - keep).sqrt() * eps


def noise_of_the_whole_jump(x_s, s, t, eps, schedule):
    """variance 1 must stay 1"""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep.sqrt() * x_s + (1 - schedule.alpha_bar[t]).sqrt() * eps


def without_noise(x_s, s, t, eps, schedule):
    """variance 1 must stay 1"""
    keep = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return keep.sqrt() * x_s + 0 * eps
