"""Wrong answers: the embedding of the time."""

import torch


def waves(t, d, exponent):
    angle = t[:, None] * 10 ** exponent(torch.arange(d // 2))
    return angle.sin(), angle.cos()


def cosines_first(t, d):
    """The cosines come first"""
    sin, cos = waves(t, d, lambda i: -4 * i / (d // 2))
    return torch.cat([cos, sin], dim=1)


def in_turn(t, d):
    """Sines and cosines take turns"""
    sin, cos = waves(t, d, lambda i: -4 * i / (d // 2))
    return torch.stack([sin, cos], dim=2).flatten(1)


def axes_mixed_up(t, d):
    """it must be"""
    sin, cos = waves(t, d, lambda i: -4 * i / (d // 2))
    return torch.cat([sin, cos], dim=1).T


def along_the_batch(t, d):
    """it must be"""
    return torch.cat(waves(t, d, lambda i: -4 * i / (d // 2)), dim=0)


def reshaped(t, d):
    """At t = 0 the first half must be 0"""
    sin, cos = waves(t, d, lambda i: -4 * i / (d // 2))
    return torch.cat([sin, cos], dim=1).T.reshape(len(t), d)


def ends_at_the_end(t, d):
    """It looks like the exponent with h - 1."""
    half = d // 2
    return torch.cat(waves(t, d, lambda i: -4 * i / (half - 1)), dim=1)


def with_d(t, d):
    """It looks like the exponent with d in the place of h."""
    return torch.cat(waves(t, d, lambda i: -4 * i / d), dim=1)


def from_one(t, d):
    """It looks like i that runs from 1."""
    return torch.cat(waves(t, d, lambda i: -4 * (i + 1) / (d // 2)), dim=1)


def growing(t, d):
    """frequencies that grow."""
    return torch.cat(waves(t, d, lambda i: 4 * i / (d // 2)), dim=1)
