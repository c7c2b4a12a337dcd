"""Wrong answers: two answers by one pass still have a bug."""

import torch


def _halves(net, x_t, t, upper, lower):
    x, s = torch.cat([x_t, x_t]), torch.cat([t, t])
    return net(x, s, y=torch.cat([upper, lower])).chunk(2)


def as_it_is_given(net, x_t, t, y, w, null):
    """It looks like both mistakes: one goes in, one comes out."""
    wanted, other = _halves(net, x_t, t, torch.zeros_like(y), y)
    return other + w * (wanted - other)


def label_0(net, x_t, t, y, w, null):
    """It looks like 0 for no label, but 0 is a class: it is null."""
    other, wanted = _halves(net, x_t, t, torch.zeros_like(y), y)
    return other + w * (wanted - other)


def halves_exchanged(net, x_t, t, y, w, null):
    """It looks like exchanged halves: what went in first comes out first."""
    wanted, other = _halves(net, x_t, t, torch.full_like(y, null), y)
    return other + w * (wanted - other)


def the_last_class(net, x_t, t, y, w, null):
    """It looks like null - 1 for no label, which is the last class."""
    other, wanted = _halves(net, x_t, t, torch.full_like(y, null - 1), y)
    return other + w * (wanted - other)


def the_same_label_twice(net, x_t, t, y, w, null):
    """It looks like the wanted label in both halves."""
    other, wanted = _halves(net, x_t, t, y, y)
    return other + w * (wanted - other)


def counted_from_the_class(net, x_t, t, y, w, null):
    """It looks like w counted from the class, as Ho and Salimans do."""
    other, wanted = _halves(net, x_t, t, torch.full_like(y, null), y)
    return wanted + w * (wanted - other)


def cut_the_other_way(net, x_t, t, y, w, null):
    """it must be (6, 2)"""
    labels = torch.cat([torch.full_like(y, null), y])
    both = net(torch.cat([x_t, x_t]), torch.cat([t, t]), labels)
    other, wanted = both.chunk(2, dim=1)
    return other + w * (wanted - other)


def times_not_doubled(net, x_t, t, y, w, null):
    """x_t, t and y do not fit together: [(12, 2), (6,), (12,)]"""
    labels = torch.cat([torch.full_like(y, null), y])
    other, wanted = net(torch.cat([x_t, x_t]), t, labels).chunk(2)
    return other + w * (wanted - other)


def ten_whatever_null_is(net, x_t, t, y, w, null):
    """the label 10 is none of 0 to null"""
    other, wanted = _halves(net, x_t, t, torch.full_like(y, 10), y)
    return other + w * (wanted - other)


def asked_without_labels(net, x_t, t, y, w, null):
    """y must be a tensor, got None"""
    other, wanted = net(x_t, t, None), net(x_t, t, y)
    return other + w * (wanted - other)


def three_passes(net, x_t, t, y, w, null):
    """asked 3 times, about 18 rows in all"""
    nothing = torch.full_like(y, null)
    direction = net(x_t, t, y) - net(x_t, t, nothing)
    return net(x_t, t, nothing) + w * direction


def a_pass_for_each_row(net, x_t, t, y, w, null):
    """asked 12 times, about 12 rows in all"""
    rows = []
    for x, s, label in zip(x_t.split(1), t.split(1), y.split(1), strict=True):
        other = net(x, s, torch.full_like(label, null))
        rows.append(other + w * (net(x, s, label) - other))
    return torch.cat(rows)
