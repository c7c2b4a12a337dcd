"""Wrong answers: the network still has a bug."""

import torch
from torch import nn


class _Base(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(2 + width, width)
        self.middle = self.middle_of(width)
        self.last = nn.Linear(width, 2)
        self.width = width

    def middle_of(self, width):
        return nn.ModuleList(nn.Linear(width, width) for _ in range(3))

    def clock(self, t):
        return (t[:, None] * torch.arange(1, self.width + 1) / 100).sin()

    def forward(self, x_t, t):
        h = self.first(torch.cat([x_t, self.clock(t)], dim=1)).tanh()
        for layer in self.middle:
            h = h + layer(h).tanh()
        return self.last(h)


class PlainList(_Base):
    """A layer in a plain list is not registered"""

    def middle_of(self, width):
        return [nn.Linear(width, width) for _ in range(3)]


class OneLayerThreeTimes(_Base):
    """One layer that is used three times is one layer."""

    def middle_of(self, width):
        layer = nn.Linear(width, width)
        return nn.ModuleList([layer, layer, layer])


class OneLayerNotUsed(_Base):
    """These parameters get no slope: middle.2.weight"""

    def forward(self, x_t, t):
        h = self.first(torch.cat([x_t, self.clock(t)], dim=1)).tanh()
        for layer in self.middle[:2]:
            h = h + layer(h).tanh()
        return self.last(h)


class Detached(_Base):
    """These parameters get no slope: first.weight"""

    def forward(self, x_t, t):
        h = self.first(torch.cat([x_t, self.clock(t)], dim=1)).tanh().detach()
        for layer in self.middle:
            h = h + layer(h).tanh()
        return self.last(h)


class Frozen(_Base):
    """These parameters get no slope: middle.0.weight"""

    def __init__(self, width):
        super().__init__(width)
        self.middle.requires_grad_(False)


class DeafToTime(_Base):
    """The time makes no difference"""

    def clock(self, t):
        return torch.ones(len(t), self.width)


class TooWide(_Base):
    """is there one too many?"""

    def middle_of(self, width):
        return nn.ModuleList(nn.Linear(width, width) for _ in range(4))


def built(width):
    """Return the network: an nn.Module."""
    return PlainList


class FirstTimeForAll(_Base):
    """changes when the others in the batch do."""

    def clock(self, t):
        return super().clock(t[:1].expand(len(t)))


class LastTimeForAll(_Base):
    """changes when the others in the batch do."""

    def clock(self, t):
        return super().clock(t[-1:].expand(len(t)))


class AddedUp(_Base):
    """changes when the others in the batch do."""

    def forward(self, x_t, t):
        return super().forward(x_t.cumsum(0), t)


class Centred(_Base):
    """changes when the others in the batch do."""

    def forward(self, x_t, t):
        return super().forward(x_t - x_t.mean(0), t)


class UsedButDetached(_Base):
    """does not change what comes out as its slope says."""

    def forward(self, x_t, t):
        weight = self.middle[0].weight
        half = weight + 0.5 * (weight.detach() - weight)
        h = self.first(torch.cat([x_t, self.clock(t)], dim=1)).tanh()
        h = h + nn.functional.linear(h, half, self.middle[0].bias).tanh()
        for layer in self.middle[1:]:
            h = h + layer(h).tanh()
        return self.last(h)


already_built = _Base(64)
already_built.__doc__ = "Give its class, without brackets"
already_built.__name__ = "already_built"
