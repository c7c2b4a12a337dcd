"""Wrong answers: the score of x_t from a velocity."""


def of_x_0(x_t, v, t):
    """It looks like x_0 in the place of the noise."""
    return -(x_t - t * v) / t


def noise(x_t, v, t):
    """It looks like the noise: the score is that over -t."""
    return x_t + (1 - t) * v


def turned(x_t, v, t):
    """It looks like the negative of the score."""
    return (x_t + (1 - t) * v) / t


def by_the_variance(x_t, v, t):
    """It looks like the noise over t^2: divide by its standard deviation."""
    return -(x_t + (1 - t) * v) / t**2


def time_turned(x_t, v, t):
    """It looks like a time that has its data at 1."""
    return -(x_t + t * v) / (1 - t)


def velocity_turned(x_t, v, t):
    """It looks like a velocity that points to the data."""
    return -(x_t - (1 - t) * v) / t


def not_divided(x_t, v, t):
    """It looks like minus the noise: it is still to be divided by t."""
    return -(x_t + (1 - t) * v)


def velocity_alone(x_t, v, t):
    """It looks like -v / t: the noise is not the velocity."""
    return -v / t


def one_number(x_t, v, t):
    """it must be (4,)"""
    return -(x_t + (1 - t) * v).mean() / t
