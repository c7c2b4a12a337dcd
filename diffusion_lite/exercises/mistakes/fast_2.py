"""Wrong answers: n + 1 steps with evenly spaced levels."""

import torch


def _nearest(level, n):
    goals = torch.linspace(float(level[-1]), float(level[0]), n + 1)
    return [int((level - goal).abs().argmin()) for goal in goals]


def _apart(times):
    """Push repeats down, as far as there is room."""
    n, found = len(times) - 1, [times[0]]
    for i, t in enumerate(times[1:], 1):
        found.append(max(min(t, found[-1] - 1), n - i))
    return found


def without_the_end(level, n):
    """should be 0: without it the sample keeps its last noise"""
    return _apart(_nearest(level, n))[:-1]


def stops_at_1(level, n):
    """should be 0: without it the sample keeps its last noise"""
    return [max(t, 1) for t in _apart(_nearest(level, n))]


def without_T(level, n):
    """should be T: x_T is what sampling starts from"""
    stride = (len(level) - 1) / n
    return [int((n - 1 - i) * stride) for i in range(n)] + [0]


def starts_late(level, n):
    """should be T: x_T is what sampling starts from"""
    return _apart(_nearest(level, n + 1))[1:]


def with_repeats(level, n):
    """comes twice: a pass for nothing"""
    return _nearest(level, n)


def repeats_removed(level, n):
    """should be n + 1"""
    return sorted(set(_nearest(level, n)), reverse=True)


def rising(level, n):
    """they rise"""
    return _apart(_nearest(level, n))[::-1]


def even_in_t(level, n):
    """It looks like times evenly far apart in t, whatever the level."""
    T = len(level) - 1
    return [round(T - i * T / n) for i in range(n + 1)]


def even_in_t_cut(level, n):
    """are not evenly far apart"""
    T = len(level) - 1
    return [T - i * (T // n) for i in range(n)] + [0]


def n_times(level, n):
    """should be n + 1"""
    if n == 1:
        return [len(level) - 1, 0]
    return _apart(_nearest(level, n - 1))


def not_whole(level, n):
    """a list of whole numbers"""
    T = len(level) - 1
    return [T - i * T / n for i in range(n + 1)]


def the_levels(level, n):
    """the steps, and not their levels"""
    return torch.linspace(float(level[-1]), float(level[0]), n + 1)


def below_0(level, n):
    """a step is from 0 to T"""
    times = [len(level) - 1]
    for t in _nearest(level, n)[1:]:
        times.append(min(t, times[-1] - 1))
    return times


def stuck_at_0(level, n):
    """0 comes twice"""
    times = [len(level) - 1]
    for t in _nearest(level, n)[1:]:
        times.append(max(min(t, times[-1] - 1), 0))
    return times
