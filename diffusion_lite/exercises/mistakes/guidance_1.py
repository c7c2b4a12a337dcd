"""Wrong answers: the guided answer."""


def counted_from_the_class(eps_wanted, eps_other, w):
    """It looks like w as Ho and Salimans count it: theirs is one less."""
    return (1 + w) * eps_wanted - w * eps_other


def exchanged(eps_wanted, eps_other, w):
    """It looks like the two exchanged: it leads away from what is wanted."""
    return eps_wanted + w * (eps_other - eps_wanted)


def the_wrong_way(eps_wanted, eps_other, w):
    """It looks like other - wanted for the direction: its sign is wrong."""
    return eps_other + w * (eps_other - eps_wanted)


def added(eps_wanted, eps_other, w):
    """It looks like w times what is wanted on top of the other."""
    return eps_other + w * eps_wanted


def a_bare_difference(eps_wanted, eps_other, w):
    """It looks like w times what is wanted, less the other."""
    return w * eps_wanted - eps_other


def the_direction_alone(eps_wanted, eps_other, w):
    """It looks like the direction alone: where does it begin?"""
    return w * (eps_wanted - eps_other)


def the_mean(eps_wanted, eps_other, w):
    """It looks like the mean of the two, whatever w is."""
    return (eps_wanted + eps_other) / 2


def a_weighted_mean(eps_wanted, eps_other, w):
    """It looks like a weighted mean, which never goes beyond the two."""
    return (eps_other + w * eps_wanted) / (1 + w)


def held_to_1(eps_wanted, eps_other, w):
    """It looks like a w that is held to at most 1: it may go beyond."""
    return eps_other + min(w, 1.0) * (eps_wanted - eps_other)


def only_beyond_1(eps_wanted, eps_other, w):
    """It looks like what is wanted alone wherever w is below 1."""
    if w <= 1:
        return 1 * eps_wanted
    return eps_other + w * (eps_wanted - eps_other)


def as_if_told(eps_wanted, eps_other, w):
    """It looks like what is wanted alone, whatever w is."""
    return 1 * eps_wanted


def one_number(eps_wanted, eps_other, w):
    """it must be (2, 3)"""
    return (eps_other + w * (eps_wanted - eps_other)).mean()
