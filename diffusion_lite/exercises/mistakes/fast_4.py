"""Wrong answers: Heun's method still has a bug."""

from itertools import pairwise


def _solve(denoise, y, sigmas, second, join=None):
    for a, b in pairwise(sigmas):
        slope = (y - denoise(y, a)) / a
        end = y + (b - a) * slope
        if b > 0:
            slope_there = second(denoise, y, end, a, b)
            mean = (slope + slope_there) / 2
            if join is not None:
                mean = join(slope, slope_there)
            end = y + (b - a) * mean
        y = end
    return y


def _right(denoise, y, end, a, b):
    return (end - denoise(end, b)) / b


def asks_twice_at_the_start(denoise, y, sigmas):
    """it asks the denoiser at"""
    return _solve(
        denoise, y, sigmas, lambda d, y, end, a, b: (end - d(end, a)) / a
    )


def a_pass_at_0(denoise, y, sigmas):
    """The last step takes the slope at its beginning alone."""
    for a, b in pairwise(sigmas):
        slope = (y - denoise(y, a)) / a
        end = y + (b - a) * slope
        slope_there = (end - denoise(end, b)) / b if b else 0 * denoise(end, b)
        y = y + (b - a) * (slope + slope_there) / 2
    return y


def no_last_step(denoise, y, sigmas):
    """it asks the denoiser at"""
    return _solve(denoise, y, sigmas[:-1], _right)


def never_a_second_slope(denoise, y, sigmas):
    """looks like Euler's method: there is no second slope"""
    for a, b in pairwise(sigmas):
        y = y + (b - a) * (y - denoise(y, a)) / a
    return y


def from_the_start(denoise, y, sigmas):
    """It looks like a second slope at y, and not where the step leads."""
    return _solve(
        denoise, y, sigmas, lambda d, y, end, a, b: (y - d(y, b)) / b
    )


def the_same_slope_twice(denoise, y, sigmas):
    """It looks like the first slope alone, whatever the second says."""
    return _solve(denoise, y, sigmas, _right, lambda one, two: (one + one) / 2)


def the_second_alone(denoise, y, sigmas):
    """It looks like the second slope alone: take the mean of both."""
    return _solve(denoise, y, sigmas, _right, lambda one, two: two)


def not_halved(denoise, y, sigmas):
    """It looks like the sum of both slopes, and not their mean."""
    return _solve(denoise, y, sigmas, _right, lambda one, two: one + two)


def from_two_places(denoise, y, sigmas):
    """It looks like a second slope of y, but of what is denoised at end."""
    return _solve(
        denoise, y, sigmas, lambda d, y, end, a, b: (y - d(end, b)) / b
    )


def divided_by_the_first(denoise, y, sigmas):
    """It looks like a second slope that is divided by the first sigma."""
    return _solve(
        denoise, y, sigmas, lambda d, y, end, a, b: (end - d(end, b)) / a
    )


def goes_on_from_the_end(denoise, y, sigmas):
    """It looks like a step from where the first slope led, not from y."""
    for a, b in pairwise(sigmas):
        slope = (y - denoise(y, a)) / a
        end = y + (b - a) * slope
        if b > 0:
            mean = (slope + _right(denoise, y, end, a, b)) / 2
            end = end + (b - a) * mean
        y = end
    return y


def the_wrong_way(denoise, y, sigmas):
    """It looks like steps from b to a: h is b - a, and below 0."""
    for a, b in pairwise(sigmas):
        slope = (y - denoise(y, a)) / a
        end = y + (a - b) * slope
        if b > 0:
            mean = (slope + _right(denoise, y, end, a, b)) / 2
            end = y + (a - b) * mean
        y = end
    return y


def mean_of_all(denoise, y, sigmas):
    """it must be (3,)"""
    return _solve(denoise, y, sigmas, _right).mean()
