"""Wrong answers: the walk back still has a bug."""

import torch


def _walk(
    eps_model,
    x,
    schedule,
    generator,
    times,
    quiet=(1,),
    width=0.5,
    ask=0,
    draw=torch.randn,
    kept=True,
):
    for t in times:
        eps = eps_model(x, torch.full((len(x),), t + ask))
        noise = (1 - schedule.alpha_bar[t]).sqrt()
        x_s = (x - schedule.beta[t] / noise * eps) / schedule.alpha[t].sqrt()
        if t not in quiet:
            z = draw(x.shape, generator=generator)
            x_s = x_s + schedule.beta[t] ** width * z
        x = x_s if kept else x
    return x


def stops_early(eps_model, x, schedule, generator):
    """it asks the network at t ="""
    return _walk(eps_model, x, schedule, generator, range(schedule.T, 1, -1))


def starts_late(eps_model, x, schedule, generator):
    """it asks the network at t ="""
    return _walk(
        eps_model, x, schedule, generator, range(schedule.T - 1, 0, -1)
    )


def forwards(eps_model, x, schedule, generator):
    """it asks the network at t ="""
    return _walk(eps_model, x, schedule, generator, range(1, schedule.T + 1))


def asks_one_early(eps_model, x, schedule, generator):
    """it asks the network at t ="""
    times = range(schedule.T, 0, -1)
    return _walk(eps_model, x, schedule, generator, times, ask=-1)


def _all_times(schedule):
    return range(schedule.T, 0, -1)


def noise_at_the_end(eps_model, x, schedule, generator):
    """The last step, from 1 to 0, must add no noise"""
    times = _all_times(schedule)
    return _walk(eps_model, x, schedule, generator, times, quiet=())


def quiet_at_the_wrong_end(eps_model, x, schedule, generator):
    """It looks like no noise at all."""
    times = _all_times(schedule)
    return _walk(eps_model, x, schedule, generator, times, quiet=(schedule.T,))


def quiet_at_both_ends(eps_model, x, schedule, generator):
    """In the step from 12 to 11 the noise must have the width"""
    times, quiet = _all_times(schedule), (1, schedule.T)
    return _walk(eps_model, x, schedule, generator, times, quiet=quiet)


def quiet_too_soon(eps_model, x, schedule, generator):
    """In the step from 2 to 1 the noise must have the width"""
    times = _all_times(schedule)
    return _walk(eps_model, x, schedule, generator, times, quiet=(1, 2))


def no_noise(eps_model, x, schedule, generator):
    """Draw the noise from the generator that is given"""
    times = _all_times(schedule)
    return _walk(eps_model, x, schedule, generator, times, quiet=times)


def beta_without_root(eps_model, x, schedule, generator):
    """It looks like beta without its root."""
    times = _all_times(schedule)
    return _walk(eps_model, x, schedule, generator, times, width=1)


def stays_where_it_is(eps_model, x, schedule, generator):
    """Draw the noise from the generator that is given"""
    times = _all_times(schedule)
    return _walk(eps_model, x, schedule, generator, times, kept=False)


def asks_about_the_start(eps_model, x, schedule, generator):
    """x stays where it is."""
    start = x
    return _walk(
        lambda _, t: eps_model(start, t),
        x,
        schedule,
        generator,
        _all_times(schedule),
    )


def one_noise_for_a_point(eps_model, x, schedule, generator):
    """all entries of a point get one noise"""

    def draw(shape, generator):
        return torch.randn(shape[0], 1, generator=generator)

    times = _all_times(schedule)
    return _walk(eps_model, x, schedule, generator, times, draw=draw)


def uniform_noise(eps_model, x, schedule, generator):
    """the wrong shape"""

    def draw(shape, generator):
        return 12**0.5 * (torch.rand(shape, generator=generator) - 0.5)

    times = _all_times(schedule)
    return _walk(eps_model, x, schedule, generator, times, draw=draw)


def noise_that_leans(eps_model, x, schedule, generator):
    """the mean is not that of the step back"""

    def draw(shape, generator):
        return 0.3 + torch.randn(shape, generator=generator)

    times = _all_times(schedule)
    return _walk(eps_model, x, schedule, generator, times, draw=draw)


def moved_at_the_end(eps_model, x, schedule, generator):
    """do no more"""
    return 5 + _walk(eps_model, x, schedule, generator, _all_times(schedule))


def chance_of_its_own(eps_model, x, schedule, generator):
    """Draw the noise from the generator that is given"""
    own = torch.Generator().manual_seed(0)
    return _walk(eps_model, x, schedule, own, _all_times(schedule))


def one_time_for_all(eps_model, x, schedule, generator):
    """The network must get a tensor (B,)"""
    return _walk(
        lambda x, t: eps_model(x, t[:1]),
        x,
        schedule,
        generator,
        _all_times(schedule),
    )


def a_number_for_the_time(eps_model, x, schedule, generator):
    """The network must get a tensor (B,)"""
    return _walk(
        lambda x, t: eps_model(x, int(t[0])),
        x,
        schedule,
        generator,
        _all_times(schedule),
    )
