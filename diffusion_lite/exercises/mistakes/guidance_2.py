"""Wrong answers: labels that are forgotten by chance."""

import torch


def one_for_all(y, null, chance, u):
    """It looks like the first u for the whole batch: each has its own."""
    return torch.full_like(y, null) if u[0] < chance else 1 * y


def turned_round(y, null, chance, u):
    """It looks like u > chance: it drops those that should be kept."""
    return torch.where(u > chance, null, y)


def label_0(y, null, chance, u):
    """It looks like 0 for no label, but 0 is a class."""
    return torch.where(u < chance, 0, y)


def the_last_class(y, null, chance, u):
    """It looks like null - 1, which is the last of the classes."""
    return torch.where(u < chance, null - 1, y)


def in_place(y, null, chance, u):
    """It changes what it is given"""
    y[u < chance] = null
    return y


def left_out(y, null, chance, u):
    """it must be (12,)"""
    return y[u >= chance]


def as_floats(y, null, chance, u):
    """numbers of the dtype torch.float32: labels are whole numbers"""
    return torch.where(u < chance, float(null), y.float())


def the_condition(y, null, chance, u):
    """numbers of the dtype torch.bool: labels are whole numbers"""
    return u < chance


def always_int64(y, null, chance, u):
    """The labels are right, but they must keep their dtype"""
    pairs = zip(y.tolist(), u.tolist(), strict=True)
    return torch.tensor([null if each < chance else k for k, each in pairs])


def another_chance(y, null, chance, u):
    """no new chance is needed"""
    return torch.where(torch.rand(len(y)) < chance, null, y)


def the_chance_to_keep(y, null, chance, u):
    """It looks like chance for the labels to be kept, not dropped."""
    return torch.where(u < 1 - chance, null, y)


def chance_included(y, null, chance, u):
    """It looks like u <= chance: with chance 0 a u of 0 drops nothing."""
    return torch.where(u <= chance, null, y)
