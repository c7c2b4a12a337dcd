"""Wrong answers: the bits per dimension still have a bug."""

import math


def no_width(nats, D, levels):
    """It looks like nats over D ln 2, as if a level were 1 wide."""
    return nats / (D * math.log(2))


def wrong_sign(nats, D, levels):
    """It looks like the width with the wrong sign."""
    return (nats / D + math.log(2 / (levels - 1))) / math.log(2)


def in_nats(nats, D, levels):
    """It looks like nats, not bits."""
    return nats / D - math.log(2 / (levels - 1))


def not_divided(nats, D, levels):
    """It looks like bits of the whole picture, not of a dimension."""
    return (nats - D * math.log(2 / (levels - 1))) / math.log(2)


def data_in_0_to_1(nats, D, levels):
    """It looks like 1 / levels for the width."""
    return (nats / D + math.log(levels)) / math.log(2)


def levels_wide(nats, D, levels):
    """It looks like 2 / levels for the width."""
    return (nats / D - math.log(2 / levels)) / math.log(2)


def once(nats, D, levels):
    """It looks like the width taken off once, not in each dimension."""
    return (nats - math.log(2 / (levels - 1))) / (D * math.log(2))


def width_in_nats(nats, D, n):
    """It looks like the width taken off in nats, when the rest is in bits."""
    return nats / (D * math.log(2)) - math.log(2 / (n - 1))
