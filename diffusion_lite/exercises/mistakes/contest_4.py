"""Wrong answers: the share of the seeds still has a bug."""

import torch


def as_it_was(a, b):
    """It looks like shifted lists: entry i is no longer that of seed i."""
    a, b = a[a.isfinite()], b[b.isfinite()]
    n = min(len(a), len(b))
    return (a[:n] < b[:n]).double().mean() if n else torch.tensor(0.5)


def seeds_left_out(a, b):
    """It looks like the seeds left out where one side blew up."""
    kept = a.isfinite() & b.isfinite()
    won = (a < b)[kept].double()
    return won.mean() if len(won) else torch.tensor(0.5)


def left_out_where_a_blew_up(a, b):
    """It looks like the seeds left out where the first side blew up."""
    won = (a < b)[a.isfinite()].double()
    return won.mean() if len(won) else torch.tensor(0.5)


def left_out_where_both_blew_up(a, b):
    """It looks like the seeds left out where both blew up."""
    kept = a.isfinite() | b.isfinite()
    won = (a < b)[kept].double()
    return won.mean() if len(won) else torch.tensor(0.5)


def sorted_sides(a, b):
    """It looks like each side sorted for itself, so that no pair is left."""
    a, b = a.sort().values, b.sort().values
    return ((a < b) + (a == b) / 2).mean()


def both_lost(a, b):
    """It looks like a seed lost where both blew up: that is half a win."""
    return (a < b).double().mean()


def both_won(a, b):
    """It looks like a seed won where both blew up: that is half a win."""
    return (a <= b).double().mean()


def every_pair(a, b):
    """It looks like every seed against every other: compare the same seed."""
    a, b = a[:, None], b[None]
    return ((a < b) + (a == b) / 2).mean()


def larger_is_better(a, b):
    """It looks like the larger distance that wins."""
    return ((a > b) + (a == b) / 2).mean()


def blown_up_at_zero(a, b):
    """It looks like infinity replaced by 0, the best distance of all."""
    a, b = (x.nan_to_num(posinf=0.0) for x in (a, b))
    return ((a < b) + (a == b) / 2).mean()


def by_the_medians(a, b):
    """It looks like one comparison of two medians, and not of the seeds."""
    return float(a.median() < b.median())


def a_number_of_seeds(a, b):
    """It looks like a number of seeds, and not their share."""
    return ((a < b) + (a == b) / 2).sum()


def wins_among_the_decided(a, b):
    """It looks like wins for which the other side must be finite."""
    won = (a < b) & b.isfinite()
    return (won + (a == b) / 2).mean()


def difference_of_means(a, b):
    """a division by 0, a log of 0?"""
    return (a - b).mean()
