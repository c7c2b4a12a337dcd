"""Wrong answers: the walk still has a bug."""

import torch


def walk(x, schedule, noise_of, generator, power=0.5, keep=0.5):
    for t in range(1, schedule.T + 1):
        noise = noise_of(x.shape, generator=generator)
        x = schedule.alpha[t] ** keep * x + schedule.beta[t] ** power * noise
    return x


def even_noise(x, schedule, generator):
    """is the noise even, rand for randn?"""
    return walk(x, schedule, torch.rand, generator)


def beta_without_root(x, schedule, generator):
    """multiplied by the root of beta?"""
    return walk(x, schedule, torch.randn, generator, power=1)


def even_noise_of_the_right_width(x, schedule, generator):
    """its fourth moment is"""

    def noise_of(shape, generator):
        return (torch.rand(shape, generator=generator) - 0.5) * 12**0.5

    return walk(x, schedule, noise_of, generator)


def alpha_without_root(x, schedule, generator):
    """is x multiplied by the root of alpha"""
    return walk(x, schedule, torch.randn, generator, keep=1)


def one_step_too_few(x, schedule, generator):
    """is x multiplied by the root of alpha, in every step?"""
    for t in range(1, schedule.T):
        noise = torch.randn(x.shape, generator=generator)
        x = schedule.alpha[t].sqrt() * x + schedule.beta[t].sqrt() * noise
    return x


def same_noise_for_all(x, schedule, generator):
    """After 1 steps from"""
    noise = torch.randn(1, generator=generator)
    return walk(x, schedule, lambda shape, generator: noise, generator)
