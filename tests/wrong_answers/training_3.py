"""Wrong answers: the walk back still has a bug."""

import torch


def walk(eps_model, x, schedule, generator, times, last=1, width=0.5, ask=0):
    for t in times:
        eps = eps_model(x, torch.full((len(x),), t + ask))
        noise = (1 - schedule.alpha_bar[t]).sqrt()
        x = (x - schedule.beta[t] / noise * eps) / schedule.alpha[t].sqrt()
        if t > last:
            draw = torch.randn(x.shape, generator=generator)
            x = x + schedule.beta[t] ** width * draw
    return x


def stops_early(eps_model, x, schedule, generator):
    """it asks the network at t ="""
    return walk(eps_model, x, schedule, generator, range(schedule.T, 1, -1))


def starts_late(eps_model, x, schedule, generator):
    """it asks the network at t ="""
    return walk(
        eps_model, x, schedule, generator, range(schedule.T - 1, 0, -1)
    )


def forwards(eps_model, x, schedule, generator):
    """it asks the network at t ="""
    return walk(eps_model, x, schedule, generator, range(1, schedule.T + 1))


def asks_one_early(eps_model, x, schedule, generator):
    """it asks the network at t ="""
    times = range(schedule.T, 0, -1)
    return walk(eps_model, x, schedule, generator, times, ask=-1)


def noise_at_the_end(eps_model, x, schedule, generator):
    """The last step must add no noise"""
    times = range(schedule.T, 0, -1)
    return walk(eps_model, x, schedule, generator, times, last=0)


def no_noise(eps_model, x, schedule, generator):
    """must have the standard deviation 1"""
    times = range(schedule.T, 0, -1)
    return walk(eps_model, x, schedule, generator, times, last=schedule.T)


def beta_without_root(eps_model, x, schedule, generator):
    """must have the standard deviation 1"""
    times = range(schedule.T, 0, -1)
    return walk(eps_model, x, schedule, generator, times, width=1)
