"""Wrong answers: the loss still has a bug."""

import torch


def _loss(
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
    mean=lambda error: error.square().mean(),
):
    B, high = len(x_0), schedule.T + 1 if high is None else high
    t = torch.randint(low, high, (B if each else 1,), generator=generator)
    t = t.expand(B)
    eps = noise_of(x_0.shape, generator=generator)
    a = schedule.alpha_bar[t][:, None]
    x_t = a.sqrt() * x_0 + (1 - a) ** power * eps
    wanted = {"eps": eps, "x_0": x_0, "x_t": x_t}[goal]
    return mean(wanted - model(x_t, t))


def from_zero(model, x_0, schedule, generator):
    """yours from 0 to 50, should be from 1 to 50."""
    return _loss(model, x_0, schedule, generator, low=0)


def without_the_last(model, x_0, schedule, generator):
    """yours from 0 to 49, should be from 1 to 50."""
    return _loss(model, x_0, schedule, generator, low=0, high=schedule.T)


def never_the_last(model, x_0, schedule, generator):
    """randint(low, high) never gives high."""
    return _loss(model, x_0, schedule, generator, high=schedule.T)


def never_the_first(model, x_0, schedule, generator):
    """yours from 2 to 50, should be from 1 to 50."""
    return _loss(model, x_0, schedule, generator, low=2)


def not_even(model, x_0, schedule, generator):
    """each t must come as often as the others"""
    u = torch.rand(len(x_0), generator=generator)
    t = (u * (schedule.T - 1)).round().long() + 1
    eps = torch.randn(x_0.shape, generator=generator)
    a = schedule.alpha_bar[t][:, None]
    x_t = a.sqrt() * x_0 + (1 - a).sqrt() * eps
    return (eps - model(x_t, t)).square().mean()


def one_time_for_all(model, x_0, schedule, generator):
    """The times must run from 1 to T"""
    return _loss(model, x_0, schedule, generator, each=False)


def no_root(model, x_0, schedule, generator):
    """In the x_t that the network sees the noise is wrong"""
    return _loss(model, x_0, schedule, generator, power=1)


def against_x_0(model, x_0, schedule, generator):
    """It looks like x_0 in the place of eps."""
    return _loss(model, x_0, schedule, generator, goal="x_0")


def against_x_t(model, x_0, schedule, generator):
    """It looks like x_t in the place of eps."""
    return _loss(model, x_0, schedule, generator, goal="x_t")


def alpha_for_alpha_bar(model, x_0, schedule, generator):
    """In the x_t that the network sees the noise is wrong"""
    t = torch.randint(1, schedule.T + 1, (len(x_0),), generator=generator)
    eps = torch.randn(x_0.shape, generator=generator)
    a = schedule.alpha[t][:, None]
    x_t = a.sqrt() * x_0 + (1 - a).sqrt() * eps
    return (eps - model(x_t, t)).square().mean()


def uniform_noise(model, x_0, schedule, generator):
    """In the x_t that the network sees the noise is wrong"""
    return _loss(model, x_0, schedule, generator, noise_of=torch.rand)


def does_not_ask(model, x_0, schedule, generator):
    """It never asks the network."""
    return torch.ones(())


def a_sum_over_D(model, x_0, schedule, generator):
    """It looks like a sum over D, and a mean over the batch."""
    return _loss(
        model,
        x_0,
        schedule,
        generator,
        mean=lambda error: error.square().sum(1).mean(),
    )


def a_variance(model, x_0, schedule, generator):
    """It looks like a variance, which does not see a mean."""
    return _loss(model, x_0, schedule, generator, mean=torch.var)


def root_of_the_mean(model, x_0, schedule, generator):
    """It looks like the root of the mean square."""
    return _loss(
        model,
        x_0,
        schedule,
        generator,
        mean=lambda error: error.square().mean().sqrt(),
    )


def no_square(model, x_0, schedule, generator):
    """It looks like the size of the error, without the square."""
    return _loss(
        model, x_0, schedule, generator, mean=lambda error: error.abs().mean()
    )


def a_float(model, x_0, schedule, generator):
    """a float has no slopes"""
    return _loss(model, x_0, schedule, generator).item()


def one_noise_for_a_point(model, x_0, schedule, generator):
    """each entry of x_0 its own"""

    def noise_of(shape, generator):
        return torch.randn(shape[0], 1, generator=generator).expand(shape)

    return _loss(model, x_0, schedule, generator, noise_of=noise_of)


def no_second_axis(model, x_0, schedule, generator):
    """The size of tensor"""
    t = torch.randint(1, schedule.T + 1, (len(x_0),), generator=generator)
    eps = torch.randn(x_0.shape, generator=generator)
    a = schedule.alpha_bar[t]
    x_t = a.sqrt() * x_0 + (1 - a).sqrt() * eps
    return (eps - model(x_t, t)).square().mean()


def times_between_0_and_1(model, x_0, schedule, generator):
    """a tensor (B,) of whole numbers"""
    return _loss(
        lambda x_t, t: model(x_t, t / schedule.T), x_0, schedule, generator
    )


def detached(model, x_0, schedule, generator):
    """no slopes, and nothing can learn from it"""
    return _loss(model, x_0, schedule, generator).detach()


def without_grad(model, x_0, schedule, generator):
    """no slopes, and nothing can learn from it"""
    with torch.no_grad():
        return _loss(model, x_0, schedule, generator)


def a_new_tensor(model, x_0, schedule, generator):
    """no slopes, and nothing can learn from it"""
    return torch.tensor(_loss(model, x_0, schedule, generator).item())
