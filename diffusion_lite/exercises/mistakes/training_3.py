"""Wrong answers: the sampler still has a bug."""

import torch


def _sample(
    eps_model,
    x,
    schedule,
    generator,
    times=None,
    without=(1,),
    power=0.5,
    ask=0,
    noise_of=torch.randn,
    kept=True,
):
    for t in times or range(schedule.T, 0, -1):
        eps = eps_model(x, torch.full((len(x),), t + ask))
        noise = (1 - schedule.alpha_bar[t]).sqrt()
        x_s = (x - schedule.beta[t] / noise * eps) / schedule.alpha[t].sqrt()
        if t not in without:
            z = noise_of(x.shape, generator=generator)
            x_s = x_s + schedule.beta[t] ** power * z
        x = x_s if kept else x
    return x


def stops_early(eps_model, x, schedule, generator):
    """it asks the network at the wrong t"""
    return _sample(eps_model, x, schedule, generator, range(schedule.T, 1, -1))


def starts_late(eps_model, x, schedule, generator):
    """it asks the network at the wrong t"""
    return _sample(
        eps_model, x, schedule, generator, range(schedule.T - 1, 0, -1)
    )


def forwards(eps_model, x, schedule, generator):
    """it asks the network at the wrong t"""
    return _sample(eps_model, x, schedule, generator, range(1, schedule.T + 1))


def asks_one_early(eps_model, x, schedule, generator):
    """it asks the network at the wrong t"""
    return _sample(eps_model, x, schedule, generator, ask=-1)


def noise_at_the_end(eps_model, x, schedule, generator):
    """The last step, from 1 to 0, must add no noise"""
    return _sample(eps_model, x, schedule, generator, without=())


def no_noise_at_the_wrong_end(eps_model, x, schedule, generator):
    """there is no noise."""
    return _sample(eps_model, x, schedule, generator, without=(schedule.T,))


def no_noise_too_soon(eps_model, x, schedule, generator):
    """In the step from 2 to 1 there is no noise."""
    return _sample(eps_model, x, schedule, generator, without=(1, 2))


def no_noise(eps_model, x, schedule, generator):
    """Take the noise from the generator that is given"""
    return _sample(eps_model, x, schedule, generator, without=range(99))


def beta_without_root(eps_model, x, schedule, generator):
    """Is beta there without its root?"""
    return _sample(eps_model, x, schedule, generator, power=1)


def stays_where_it_is(eps_model, x, schedule, generator):
    """Take the noise from the generator that is given"""
    return _sample(eps_model, x, schedule, generator, kept=False)


def asks_about_the_start(eps_model, x, schedule, generator):
    """x stays where it is."""
    start = x
    return _sample(lambda _, t: eps_model(start, t), x, schedule, generator)


def one_noise_for_a_point(eps_model, x, schedule, generator):
    """all entries of a point get one noise"""

    def noise_of(shape, generator):
        return torch.randn(shape[0], 1, generator=generator)

    return _sample(eps_model, x, schedule, generator, noise_of=noise_of)


def uniform_noise(eps_model, x, schedule, generator):
    """the wrong shape"""

    def noise_of(shape, generator):
        return 12**0.5 * (torch.rand(shape, generator=generator) - 0.5)

    return _sample(eps_model, x, schedule, generator, noise_of=noise_of)


def noise_with_a_mean(eps_model, x, schedule, generator):
    """the mean is not that of the step back"""

    def noise_of(shape, generator):
        return 0.3 + torch.randn(shape, generator=generator)

    return _sample(eps_model, x, schedule, generator, noise_of=noise_of)


def moved_at_the_end(eps_model, x, schedule, generator):
    """do no more than go to its mean"""
    return 5 + _sample(eps_model, x, schedule, generator)


def chance_of_its_own(eps_model, x, schedule, generator):
    """Take the noise from the generator that is given"""
    own = torch.Generator().manual_seed(0)
    return _sample(eps_model, x, schedule, own)


def one_time_for_all(eps_model, x, schedule, generator):
    """a tensor (B,) of whole numbers"""
    return _sample(lambda x, t: eps_model(x, t[:1]), x, schedule, generator)


def a_number_for_the_time(eps_model, x, schedule, generator):
    """a tensor (B,) of whole numbers"""
    return _sample(
        lambda x, t: eps_model(x, int(t[0])), x, schedule, generator
    )
