"""One entry after another: an exact probability for pictures of levels."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lite.arguments import batch, source, whole
from diffusion_lite.networks import in_dtype_of


class MaskedLinear(nn.Linear):
    """A layer whose units read only units that know no more than they may.

    A unit of number k may know of the first k entries, so it reads those of
    a number up to k. ``before`` (inputs,) and ``after`` (outputs,) are the
    units' numbers.
    Source: Germain et al. 2015.
    """

    mask: Tensor

    def __init__(self, before: Tensor, after: Tensor) -> None:
        super().__init__(len(before), len(after))
        self.register_buffer("mask", (before <= after[:, None]).float())

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """Return what the layer gives, (B, outputs)."""
        return F.linear(input, self.mask * self.weight, self.bias)


class Autoregressive(nn.Module):
    """A probability for each level of an entry, given the entries before it.

    Entries have ``levels`` grey levels from -1 to 1, and an order: line by
    line. Layers are masked, so that one evaluation gives every factor.
    Source: Germain et al. 2015.
    Shapes: x (B, *shape), with D the entries of a sample, at least 2.
    """

    def __init__(
        self, shape: tuple[int, ...], levels: int = 17, width: int = 512
    ) -> None:
        super().__init__()
        self.shape = tuple(
            whole(1, **{f"shape[{i}]": n for i, n in enumerate(shape)})
        )
        (self.levels,) = whole(2, 1, levels=levels)
        (width,), dim = whole(1, width=width), math.prod(self.shape)
        if dim < 2:
            raise ValueError(f"shape must have two entries, got {shape}")
        factor = torch.arange(dim)  # that of entry i knows the i before it
        hidden = 1 + torch.arange(width) % (dim - 1)
        self.net = nn.Sequential(
            MaskedLinear(factor + 1, hidden),  # an entry knows itself, too
            nn.ReLU(),
            MaskedLinear(hidden, hidden),
            nn.ReLU(),
            MaskedLinear(hidden, factor.repeat_interleave(self.levels)),
        )

    def logits(self, x: Tensor) -> Tensor:
        """Return a logit for each level of each entry, (B, D, levels).

        Those of an entry depend on the entries before it alone.
        """
        if batch("x", x).shape[1:] != self.shape:
            raise ValueError(
                f"x must be (B, {', '.join(map(str, self.shape))}), got "
                f"{tuple(x.shape)}"
            )
        h = self.net(in_dtype_of(self, x.flatten(1)))
        return h.reshape(len(x), -1, self.levels)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x), exactly, in nats: (B,). x lies on the levels.

        Book: eq-autoregressive. Source: van den Oord et al. 2016, eq. 1.
        """
        log_p = self.logits(x).log_softmax(2)
        chosen = self._level_of(x.flatten(1))[..., None]
        return log_p.gather(2, chosen).sum((1, 2))

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Return n samples, (n, *shape): an evaluation for each entry."""
        (n,) = whole(1, n=n)
        source(generator)
        x = torch.zeros(n, *self.shape)
        entries = x.view(n, -1)
        for i in range(entries.shape[1]):
            p = self.logits(x)[:, i].softmax(1)
            level = p.cpu().multinomial(1, generator=generator)[:, 0]
            entries[:, i] = 2 * level / (self.levels - 1) - 1
        return x

    def _level_of(self, x: Tensor) -> Tensor:
        level = (x + 1) * (self.levels - 1) / 2
        if (level - level.round()).abs().max() > 1e-3 or x.abs().max() > 1:
            raise ValueError(
                f"x must lie on {self.levels} levels from -1 to 1, got "
                f"{float(x.min()):g} to {float(x.max()):g}, between levels"
            )
        return level.round().long()


def autoregressive_loss(
    model: Autoregressive, x: Tensor, *, generator: torch.Generator
) -> Tensor:
    """Return -log p(x), its mean over the batch in nats per entry.

    Nothing in it is random; ``train`` hands a generator to every loss.
    """
    return -model.log_prob(x).mean() / x[0].numel()
