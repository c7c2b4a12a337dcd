"""Wrong answers: the importance-weighted estimate."""

import math


def _weights_of(likelihood, prior, guess):
    return likelihood + prior - guess


def bound(likelihood, prior, guess):
    """It looks like the bound: average before the logarithm."""
    return _weights_of(likelihood, prior, guess).mean(0)


def summed(likelihood, prior, guess):
    """It looks like a sum, not a mean."""
    return _weights_of(likelihood, prior, guess).logsumexp(0)


def twice_log_k(likelihood, prior, guess):
    """It looks like log K twice."""
    weights = _weights_of(likelihood, prior, guess)
    return weights.logsumexp(0) - 2 * math.log(len(weights))


def no_guess(likelihood, prior, guess):
    """It looks like no guess in it."""
    return (likelihood + prior).logsumexp(0) - math.log(len(prior))


def no_prior(likelihood, prior, guess):
    """It looks like no prior in it."""
    return (likelihood - guess).logsumexp(0) - math.log(len(prior))


def guess_added(likelihood, prior, guess):
    """It looks like the guess added, not divided by."""
    return (likelihood + prior + guess).logsumexp(0) - math.log(len(prior))


def plain_numbers(likelihood, prior, guess):
    """logsumexp over the samples does not."""
    return _weights_of(likelihood, prior, guess).exp().mean(0).log()


def over_the_points(likelihood, prior, guess):
    """it must be (3,)"""
    return _weights_of(likelihood, prior, guess).logsumexp(1)


def _taken_off(weights, part):
    return (weights - part).exp().mean(0).log() + part


def largest_of_all(likelihood, prior, guess):
    """logsumexp over the samples does not."""
    weights = _weights_of(likelihood, prior, guess)
    return _taken_off(weights, weights.max())


def first_off(likelihood, prior, guess):
    """logsumexp over the samples does not."""
    weights = _weights_of(likelihood, prior, guess)
    return _taken_off(weights, weights[0])


def last_off(likelihood, prior, guess):
    """logsumexp over the samples does not."""
    weights = _weights_of(likelihood, prior, guess)
    return _taken_off(weights, weights[-1])


def log_b(likelihood, prior, guess):
    """It looks like log B for log K."""
    weights = _weights_of(likelihood, prior, guess)
    return weights.logsumexp(0) - math.log(weights.shape[1])


def divided_behind(likelihood, prior, guess):
    """It looks like a division by K behind the logarithm."""
    weights = _weights_of(likelihood, prior, guess)
    return weights.logsumexp(0) / len(weights)


def turned(likelihood, prior, guess):
    """It looks like the whole with the wrong sign."""
    weights = _weights_of(likelihood, prior, guess)
    return math.log(len(weights)) - weights.logsumexp(0)


def largest_alone(likelihood, prior, guess):
    """It looks like the largest weight alone."""
    return _weights_of(likelihood, prior, guess).amax(0)
