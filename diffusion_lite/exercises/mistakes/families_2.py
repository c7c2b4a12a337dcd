"""Wrong answers: one coupling."""

import torch


def _coupling(x, net, second, log_det=lambda s, r: s):
    s, r = net(x[:, :1]).T
    z = torch.stack([x[:, 0], second(x[:, 1], s, r)], dim=1)
    return z, log_det(s, r)


def _right(x, s, r):
    return x * s.exp() + r


def s_and_r_exchanged(x, net):
    """It looks like s and r exchanged."""
    return _coupling(x, net, lambda x, s, r: x * r.exp() + s)


def s_as_the_scale(x, net):
    """It looks like s itself as the scale, not its exponential."""
    return _coupling(x, net, lambda x, s, r: x * s + r)


def shift_first(x, net):
    """It looks like a shift before the scale."""
    return _coupling(x, net, lambda x, s, r: (x + r) * s.exp())


def inverse(x, net):
    """It looks like the inverse map."""
    return _coupling(x, net, lambda x, s, r: (x - r) * (-s).exp())


def no_shift(x, net):
    """It looks like a scale without the shift."""
    return _coupling(x, net, lambda x, s, r: x * s.exp())


def told_by_the_second(x, net):
    """The first entry must stay as it is."""
    s, r = net(x[:, 1:]).T
    return torch.stack([x[:, 0] * s.exp() + r, x[:, 1]], dim=1), s


def determinant_turned(x, net):
    """It looks like the logarithm with the wrong sign."""
    return _coupling(x, net, _right, lambda s, r: -s)


def not_its_logarithm(x, net):
    """It looks like the determinant, not its logarithm."""
    return _coupling(x, net, _right, lambda s, r: s.exp())


def keeps_volume(x, net):
    """It looks like 0, as if volumes were kept."""
    return _coupling(x, net, _right, lambda s, r: 0 * s)


def one_for_all(x, net):
    """it must be (5,)"""
    return _coupling(x, net, _right, lambda s, r: s.sum())


def without_its_sign(x, net):
    """It looks like the logarithm's size, without its sign."""
    return _coupling(x, net, _right, lambda s, r: s.abs())


def first_entry_added(x, net):
    """It looks like s + 1: the first entry's factor, 1, has the log 0."""
    return _coupling(x, net, _right, lambda s, r: s + 1)


def shift_for_scale(x, net):
    """It looks like r, the shift."""
    return _coupling(x, net, _right, lambda s, r: r)


def over_all_points(x, net):
    """It looks like a sum over all points."""
    return _coupling(x, net, _right, lambda s, r: s.sum() + 0 * s)


def scale_detached(x, net):
    """the second entry of z has another slope in x"""
    return _coupling(x, net, lambda x, s, r: _right(x, s.detach(), r))


def shift_detached(x, net):
    """the second entry of z has another slope in x"""
    return _coupling(x, net, lambda x, s, r: _right(x, s, r.detach()))


def determinant_detached(x, net):
    """the logarithm has another slope in x"""
    return _coupling(x, net, _right, lambda s, r: s.detach())
