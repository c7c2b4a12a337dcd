"""Wrong answers: the drift and the diffusion of a path."""


def slope_alone(a, s, a_slope, s_slope):
    """It looks like the slope of a, which is still to be divided by a."""
    return a_slope, 2 * s * (s_slope - a_slope * s)


def with_the_square(a, s, a_slope, s_slope):
    """It looks like the rate of a^2, twice that of a."""
    f = 2 * a_slope / a
    return f, 2 * s * (s_slope - f * s)


def upside_down(a, s, a_slope, s_slope):
    """It looks like a divided by its slope."""
    return a / a_slope, 2 * s * (s_slope - a_slope / a * s)


def negated(a, s, a_slope, s_slope):
    """It looks like the negative of f."""
    return -a_slope / a, 2 * s * (s_slope - a_slope / a * s)


def without_drift(a, s, a_slope, s_slope):
    """It looks like (s^2)' alone, without what the drift takes off."""
    return a_slope / a, 2 * s * s_slope


def drift_added(a, s, a_slope, s_slope):
    """It looks like 2 f s^2 added, where it is to be taken off."""
    return a_slope / a, 2 * s * (s_slope + a_slope / a * s)


def lost_two(a, s, a_slope, s_slope):
    """It looks like f s^2 taken off once, and not twice."""
    f = a_slope / a
    return f, 2 * s * s_slope - f * s**2


def half(a, s, a_slope, s_slope):
    """It looks like half of it: the slope of s^2 is 2 s s'."""
    return a_slope / a, s * (s_slope - a_slope / a * s)


def root(a, s, a_slope, s_slope):
    """It looks like g, and not its square."""
    return a_slope / a, (2 * s * (s_slope - a_slope / a * s)) ** 0.5


def alone(a, s, a_slope, s_slope):
    """not two things"""
    return a_slope / a
