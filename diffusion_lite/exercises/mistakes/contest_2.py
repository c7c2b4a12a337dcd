"""Wrong answers: Holm's step-down correction."""

import torch


def _factors(p):
    m = len(p)
    return torch.arange(m, 0, -1, dtype=p.dtype)


def _back(values, order):
    back = torch.empty_like(values)
    back[order] = values
    return back


def all_times_m(p):
    """It looks like Bonferroni's correction: all of them times m."""
    return (len(p) * p).clamp(max=1)


def in_rising_order(p):
    """It looks like the right numbers in rising order: put them back."""
    rising = p.sort().values
    return (_factors(p) * rising).cummax(0).values.clamp(max=1)


def order_applied_again(p):
    """It looks like the order applied again where it must be undone."""
    rising, order = p.sort()
    values = (_factors(p) * rising).cummax(0).values.clamp(max=1)
    return values[order]


def may_fall(p):
    """It looks like numbers that may fall: none may be below one before."""
    rising, order = p.sort()
    return _back((_factors(p) * rising).clamp(max=1), order)


def above_one(p):
    """It looks like a p above 1: no share is."""
    rising, order = p.sort()
    return _back((_factors(p) * rising).cummax(0).values, order)


def factors_that_rise(p):
    """It looks like factors that rise: the lowest p is multiplied by m."""
    rising, order = p.sort()
    factors = _factors(p).flip(0)
    return _back((factors * rising).cummax(0).values.clamp(max=1), order)


def one_too_few(p):
    """It looks like factors from m - 1 to 0: they go from m to 1."""
    rising, order = p.sort()
    factors = _factors(p) - 1
    return _back((factors * rising).cummax(0).values.clamp(max=1), order)


def false_finds(p):
    """It looks like Benjamini and Hochberg's, of another kind of error."""
    rising, order = p.sort()
    m = len(p)
    each = m / torch.arange(1, m + 1, dtype=p.dtype) * rising
    return _back(each.flip(0).cummin(0).values.flip(0), order)


def from_the_largest(p):
    """It looks like Hochberg's: a running minimum from the largest p on."""
    rising, order = p.sort()
    each = (_factors(p) * rising).clamp(max=1)
    return _back(each.flip(0).cummin(0).values.flip(0), order)


def added_up(p):
    """It looks like a running sum where a running maximum belongs."""
    rising, order = p.sort()
    return _back((_factors(p) * rising).cumsum(0).clamp(max=1), order)


def the_maximum_unsorted(p):
    """It looks like a running maximum in the order that was given."""
    rising, order = p.sort()
    each = _back((_factors(p) * rising).clamp(max=1), order)
    return each.cummax(0).values


def independent(p):
    """It looks like 1 - (1 - p)^k: that is for independent questions."""
    rising, order = p.sort()
    each = 1 - (1 - rising) ** _factors(p)
    return _back(each.cummax(0).values, order)


def not_corrected(p):
    """It looks like p itself, as for one question."""
    return p.clone()


def which_stand(p):
    """It looks like which of them stand, and not their p."""
    rising, order = p.sort()
    values = (_factors(p) * rising).cummax(0).values
    return _back((values < 0.05).to(p.dtype), order)


def the_lowest_alone(p):
    """it must be"""
    return len(p) * p.min()
