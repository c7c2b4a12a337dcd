"""Wrong answers: the embedding of the time."""

import torch


def _waves(t, d, exponent):
    angle = t[:, None] * 10 ** exponent(torch.arange(d // 2))
    return angle.sin(), angle.cos()


def cosines_first(t, d):
    """It looks like the cosines first: they come after the sines."""
    sin, cos = _waves(t, d, lambda i: -4 * i / (d // 2))
    return torch.cat([cos, sin], dim=1)


def in_turn(t, d):
    """It looks like sines and cosines in turn: all sines come first."""
    sin, cos = _waves(t, d, lambda i: -4 * i / (d // 2))
    return torch.stack([sin, cos], dim=2).flatten(1)


def axes_mixed_up(t, d):
    """it must be"""
    sin, cos = _waves(t, d, lambda i: -4 * i / (d // 2))
    return torch.cat([sin, cos], dim=1).T


def along_the_batch(t, d):
    """it must be"""
    return torch.cat(_waves(t, d, lambda i: -4 * i / (d // 2)), dim=0)


def reshaped(t, d):
    """At t = 0 the first half must be 0"""
    sin, cos = _waves(t, d, lambda i: -4 * i / (d // 2))
    return torch.cat([sin, cos], dim=1).T.reshape(len(t), d)


def ends_at_the_end(t, d):
    """It looks like the exponent with h - 1."""
    half = d // 2
    return torch.cat(_waves(t, d, lambda i: -4 * i / (half - 1)), dim=1)


def with_d(t, d):
    """It looks like the exponent with d in the place of h."""
    return torch.cat(_waves(t, d, lambda i: -4 * i / d), dim=1)


def from_one(t, d):
    """It looks like i that runs from 1."""
    return torch.cat(_waves(t, d, lambda i: -4 * (i + 1) / (d // 2)), dim=1)


def growing(t, d):
    """It looks like frequencies that grow."""
    return torch.cat(_waves(t, d, lambda i: 4 * i / (d // 2)), dim=1)


def _embedding(t, d):
    return torch.cat(_waves(t, d, lambda i: -4 * i / (d // 2)), dim=1)


def place_in_the_batch(t, d):
    """It looks like the place in the batch, where t belongs."""
    return _embedding(torch.arange(len(t)), d)


def from_the_smallest(t, d):
    """It looks like t counted from the smallest of the batch."""
    return _embedding(t - t.min(), d)


def in_order(t, d):
    """At t = 0 the first half must be 0"""
    return _embedding(t.sort().values, d)


def in_one_byte(t, d):
    """is wrong: yours"""
    return _embedding(t.to(torch.uint8), d)


def in_half(t, d):
    """is wrong: yours"""
    return _embedding(t.bfloat16().float(), d)


def cosines_of_one_sign(t, d):
    """cosine number"""
    sin = _embedding(t, d)[:, : d // 2]
    return torch.cat([sin, (1 - sin**2).clamp(min=0).sqrt()], dim=1)


def cosines_from_one(t, d):
    """are their frequencies the same?"""
    _, cos = _waves(t, d, lambda i: -4 * (i + 1) / (d // 2))
    return torch.cat([_embedding(t, d)[:, : d // 2], cos], dim=1)


def with_e(t, d):
    """It looks like e in the place of 10."""
    h = d // 2
    angle = t[:, None] * (-4 * torch.arange(h) / h).exp()
    return torch.cat([angle.sin(), angle.cos()], dim=1)
