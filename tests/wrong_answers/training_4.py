"""Wrong answers: the loss still has a bug."""

import torch


def loss(
    model,
    x_0,
    schedule,
    generator,
    low=1,
    high=None,
    each=True,
    goal="eps",
    power=0.5,
    noise_of=torch.randn,
):
    B, high = len(x_0), schedule.T + 1 if high is None else high
    t = torch.randint(low, high, (B if each else 1,), generator=generator)
    t = t.expand(B)
    eps = noise_of(x_0.shape, generator=generator)
    a = schedule.alpha_bar[t][:, None]
    x_t = a.sqrt() * x_0 + (1 - a) ** power * eps
    wanted = {"eps": eps, "x_0": x_0, "x_t": x_t}[goal]
    return (wanted - model(x_t, t)).square().mean()


def from_zero(model, x_0, schedule, generator):
    """The times run from 0"""
    return loss(model, x_0, schedule, generator, low=0)


def without_the_last(model, x_0, schedule, generator):
    """The times run from"""
    return loss(model, x_0, schedule, generator, low=0, high=schedule.T)


def first_half(model, x_0, schedule, generator):
    """The times run from"""
    return loss(model, x_0, schedule, generator, high=schedule.T // 2)


def one_time_for_all(model, x_0, schedule, generator):
    """The times run from"""
    return loss(model, x_0, schedule, generator, each=False)


def no_root(model, x_0, schedule, generator):
    """In the x_t that the network sees the noise is wrong"""
    return loss(model, x_0, schedule, generator, power=1)


def against_x_0(model, x_0, schedule, generator):
    """what is the network held against?"""
    return loss(model, x_0, schedule, generator, goal="x_0")


def against_x_t(model, x_0, schedule, generator):
    """what is the network held against?"""
    return loss(model, x_0, schedule, generator, goal="x_t")


def alpha_for_alpha_bar(model, x_0, schedule, generator):
    """In the x_t that the network sees the noise is wrong"""
    t = torch.randint(1, schedule.T + 1, (len(x_0),), generator=generator)
    eps = torch.randn(x_0.shape, generator=generator)
    a = schedule.alpha[t][:, None]
    x_t = a.sqrt() * x_0 + (1 - a).sqrt() * eps
    return (eps - model(x_t, t)).square().mean()


def even_noise(model, x_0, schedule, generator):
    """In the x_t that the network sees the noise is wrong"""
    return loss(model, x_0, schedule, generator, noise_of=torch.rand)


def does_not_ask(model, x_0, schedule, generator):
    """It never asks the network."""
    return torch.ones(())
