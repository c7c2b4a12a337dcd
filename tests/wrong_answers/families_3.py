"""Wrong answers: the importance-weighted estimate."""

import math


def weights_of(likelihood, prior, guess):
    return likelihood + prior - guess


def bound(likelihood, prior, guess):
    """It looks like the bound: average before the logarithm."""
    return weights_of(likelihood, prior, guess).mean(0)


def summed(likelihood, prior, guess):
    """It looks like a sum, not a mean."""
    return weights_of(likelihood, prior, guess).logsumexp(0)


def twice_log_k(likelihood, prior, guess):
    """It looks like log K twice."""
    weights = weights_of(likelihood, prior, guess)
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
    """numbers that are not finite"""
    return weights_of(likelihood, prior, guess).exp().mean(0).log()


def over_the_points(likelihood, prior, guess):
    """it must be (3,)"""
    return weights_of(likelihood, prior, guess).logsumexp(1)
