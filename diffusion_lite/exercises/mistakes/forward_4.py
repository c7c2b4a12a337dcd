"""Wrong answers: the path still has a bug."""

import torch

from diffusion_lite.schedules import linear_schedule


def _path(x, schedule, noise_of, generator, power=0.5, keep=0.5):
    for t in range(1, schedule.T + 1):
        noise = noise_of(x.shape, generator=generator)
        x = schedule.alpha[t] ** keep * x + schedule.beta[t] ** power * noise
    return x


def uniform_noise(x, schedule, generator):
    """Is the noise uniform, rand for randn?"""
    return _path(x, schedule, torch.rand, generator)


def beta_without_root(x, schedule, generator):
    """multiplied by the root of beta?"""
    return _path(x, schedule, torch.randn, generator, power=1)


def uniform_noise_of_variance_1(x, schedule, generator):
    """its fourth moment is"""

    def noise_of(shape, generator):
        return (torch.rand(shape, generator=generator) - 0.5) * 12**0.5

    return _path(x, schedule, noise_of, generator)


def alpha_without_root(x, schedule, generator):
    """Is x multiplied by the root of alpha"""
    return _path(x, schedule, torch.randn, generator, keep=1)


def one_step_too_few(x, schedule, generator):
    """in every step of the schedule that is given?"""
    for t in range(1, schedule.T):
        noise = torch.randn(x.shape, generator=generator)
        x = schedule.alpha[t].sqrt() * x + schedule.beta[t].sqrt() * noise
    return x


def first_step_skipped(x, schedule, generator):
    """in every step of the schedule that is given?"""
    for t in range(min(2, schedule.T), schedule.T + 1):
        noise = torch.randn(x.shape, generator=generator)
        x = schedule.alpha[t].sqrt() * x + schedule.beta[t].sqrt() * noise
    return x


def one_noise_for_all_points(x, schedule, generator):
    """All points get one noise."""
    noise = torch.randn(1, generator=generator)
    return _path(x, schedule, lambda shape, generator: noise, generator)


def one_noise_for_a_point(x, schedule, generator):
    """All entries of a point get one noise."""

    def noise_of(shape, generator):
        return torch.randn(shape[0], 1, generator=generator)

    return _path(x, schedule, noise_of, generator)


def one_noise_for_all_entries(x, schedule, generator):
    """torch.randn(x.shape) gives each entry a noise of its own."""

    def noise_of(shape, generator):
        return torch.randn(shape[0], generator=generator)

    return _path(x, schedule, noise_of, generator)


def uniform_and_shifted(x, schedule, generator):
    """It looks like uniform noise, shifted: its variance is 1/12."""

    def noise_of(shape, generator):
        return torch.rand(shape, generator=generator) - 0.5

    return _path(x, schedule, noise_of, generator)


def uniform_from_minus_1(x, schedule, generator):
    """It looks like uniform noise from -1 to 1: its variance is 1/3."""

    def noise_of(shape, generator):
        return 2 * torch.rand(shape, generator=generator) - 1

    return _path(x, schedule, noise_of, generator)


def chance_of_its_own(x, schedule, generator):
    """Take the noise from the generator that is given"""
    own = torch.Generator().manual_seed(0)
    return _path(x, schedule, torch.randn, own)


def another_source(x, schedule, generator):
    """Take the noise from the generator that is given"""
    return _path(
        x, schedule, lambda shape, generator: torch.randn(shape), generator
    )


def another_schedule(x, schedule, generator):
    """in every step of the schedule that is given?"""
    return _path(x, linear_schedule(99), torch.randn, generator)
