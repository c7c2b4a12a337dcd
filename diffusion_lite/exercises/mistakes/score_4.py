"""Wrong answers: x_t and its velocity, for training."""


def to_the_data(x_0, eps, t):
    """It looks like a velocity from noise to data."""
    return (1 - t) * x_0 + t * eps, x_0 - eps


def turned_around(x_0, eps, t):
    """It looks like a time that has its data at 1."""
    return t * x_0 + (1 - t) * eps, x_0 - eps


def the_noise(x_0, eps, t):
    """It looks like the noise, which a denoiser predicts."""
    return (1 - t) * x_0 + t * eps, eps


def the_data(x_0, eps, t):
    """It looks like x_0."""
    return (1 - t) * x_0 + t * eps, x_0


def of_vp(x_0, eps, t):
    """x_t does not go straight"""
    angle = t * 1.5707963267948966
    from math import cos, sin

    x_t = cos(angle) * x_0 + sin(angle) * eps
    v = 1.5707963267948966 * (cos(angle) * eps - sin(angle) * x_0)
    return x_t, v


def times_t(x_0, eps, t):
    """It looks like the whole way so far, and not how fast it goes."""
    return (1 - t) * x_0 + t * eps, t * (eps - x_0)


def state_alone(x_0, eps, t):
    """not two things"""
    return (1 - t) * x_0 + t * eps
