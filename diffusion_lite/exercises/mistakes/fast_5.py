"""Wrong answers: the x_0 with which one step does the work of two."""


def _all(t, r, schedule):
    """Return a_t, s_t, a_r and s_r."""
    a = schedule.alpha_bar.sqrt()
    s = (1 - schedule.alpha_bar).sqrt()
    return a[t], s[t], a[r], s[r]


def the_end_itself(x_t, x_r, t, r, schedule):
    """It looks like x_r itself, which still has noise."""
    return 1 * x_r


def the_end_scaled(x_t, x_r, t, r, schedule):
    """It looks like x_r over its a: its noise is not taken off."""
    _, _, a_r, _ = _all(t, r, schedule)
    return x_r / a_r


def ratio_turned(x_t, x_r, t, r, schedule):
    """It looks like s_t / s_r, which is the ratio turned over."""
    a_t, s_t, a_r, s_r = _all(t, r, schedule)
    ratio = s_t / s_r
    return (x_r - ratio * x_t) / (a_r - ratio * a_t)


def of_variances(x_t, x_r, t, r, schedule):
    """It looks like a ratio of variances, without roots."""
    a_t, s_t, a_r, s_r = _all(t, r, schedule)
    ratio = (s_r / s_t) ** 2
    return (x_r - ratio * x_t) / (a_r - ratio * a_t)


def ratio_of_a(x_t, x_r, t, r, schedule):
    """It looks like the ratio of the a's: that takes off x_0, not eps."""
    a_t, s_t, a_r, s_r = _all(t, r, schedule)
    ratio = a_r / a_t
    return (x_r - ratio * x_t) / (s_r - ratio * s_t)


def not_divided(x_t, x_r, t, r, schedule):
    """It looks like what is left of x_0, still to be divided."""
    _, s_t, _, s_r = _all(t, r, schedule)
    return x_r - s_r / s_t * x_t


def divided_by_a_r(x_t, x_r, t, r, schedule):
    """It looks like division by a_r: of a_t a part has gone as well."""
    _, s_t, a_r, s_r = _all(t, r, schedule)
    return (x_r - s_r / s_t * x_t) / a_r


def ratio_lost(x_t, x_r, t, r, schedule):
    """It looks like a_r - a_t below: there too the ratio is needed."""
    a_t, s_t, a_r, s_r = _all(t, r, schedule)
    return (x_r - s_r / s_t * x_t) / (a_r - a_t)


def plus(x_t, x_r, t, r, schedule):
    """It looks like a plus where the noise must cancel."""
    a_t, s_t, a_r, s_r = _all(t, r, schedule)
    ratio = s_r / s_t
    return (x_r + ratio * x_t) / (a_r + ratio * a_t)


def alpha_bar_for_a(x_t, x_r, t, r, schedule):
    """It looks like alpha_bar where its root belongs."""
    a_t, s_t, a_r, s_r = _all(t, r, schedule)
    ratio = s_r / s_t
    return (x_r - ratio * x_t) / (a_r**2 - ratio * a_t**2)


def one_number(x_t, x_r, t, r, schedule):
    """it must be (3,)"""
    a_t, s_t, a_r, s_r = _all(t, r, schedule)
    ratio = s_r / s_t
    return ((x_r - ratio * x_t) / (a_r - ratio * a_t)).mean()
