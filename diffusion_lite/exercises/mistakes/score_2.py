"""Wrong answers: one step back, with some noise put back."""


def full_square(x, score, f, g, h, c, z):
    """It looks like twice the pull: the factor is (1 + c^2) / 2."""
    return x - (f * x - (1 + c**2) * g**2 * score) * h + c * g * h**0.5 * z


def always_the_ode(x, score, f, g, h, c, z):
    """It looks like half of g^2 whatever c is: the noise needs its pull."""
    return x - (f * x - g**2 * score / 2) * h + c * g * h**0.5 * z


def always_the_sde(x, score, f, g, h, c, z):
    """It looks like the whole g^2 whatever c is: that is for c = 1 only."""
    return x - (f * x - g**2 * score) * h + c * g * h**0.5 * z


def c_not_squared(x, score, f, g, h, c, z):
    """It looks like c where c^2 belongs."""
    pull = (1 + c) / 2 * g**2 * score
    return x - (f * x - pull) * h + c * g * h**0.5 * z


def g_not_squared(x, score, f, g, h, c, z):
    """It looks like g with the score, where g^2 belongs."""
    pull = (1 + c**2) / 2 * g * score
    return x - (f * x - pull) * h + c * g * h**0.5 * z


def time_forward(x, score, f, g, h, c, z):
    """It looks like dt = h: back it is -h, and the whole bracket turns."""
    pull = (1 + c**2) / 2 * g**2 * score
    return x + (f * x - pull) * h + c * g * h**0.5 * z


def drift_turned(x, score, f, g, h, c, z):
    """It looks like f x with the wrong sign."""
    pull = (1 + c**2) / 2 * g**2 * score
    return x + (f * x + pull) * h + c * g * h**0.5 * z


def score_turned(x, score, f, g, h, c, z):
    """It looks like the score with the wrong sign."""
    pull = (1 + c**2) / 2 * g**2 * score
    return x - (f * x + pull) * h + c * g * h**0.5 * z


def noise_by_h(x, score, f, g, h, c, z):
    """It looks like noise times h: its std goes with sqrt(h)."""
    pull = (1 + c**2) / 2 * g**2 * score
    return x - (f * x - pull) * h + c * g * h * z


def noise_by_g2(x, score, f, g, h, c, z):
    """It looks like g^2 with the noise: that is its variance."""
    pull = (1 + c**2) / 2 * g**2 * score
    return x - (f * x - pull) * h + c * g**2 * h**0.5 * z


def without_c(x, score, f, g, h, c, z):
    """It looks like noise without the factor c."""
    pull = (1 + c**2) / 2 * g**2 * score
    return x - (f * x - pull) * h + g * h**0.5 * z


def mean_of_all(x, score, f, g, h, c, z):
    """it must be (3,)"""
    return x.mean()
