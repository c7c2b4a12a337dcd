"""A normalizing flow: an invertible map to noise, and an exact log p(x)."""

import math
from typing import cast

import torch
from torch import Tensor, nn

from diffusion_lite.arguments import batch, normal, whole
from diffusion_lite.networks import in_dtype_of, perceptron


class Coupling(nn.Module):
    """Scale and shift one half of the entries, as the other half says.

    ``mask`` is 1 on the half that is read and stays: (D,).
    Book: eq-coupling. Source: Dinh et al. 2017, eq. 9, the form with a mask.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, width: int) -> None:
        super().__init__()
        dim = len(mask)
        self.register_buffer("mask", mask)
        self.net = perceptron(dim, width, 2, 2 * dim)
        self.reach = nn.Parameter(torch.ones(dim))  # of the log of the scale

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return z (B, D) and log |det dz/dx| (B,)."""
        log_scale, shift = self._scale_shift(x)
        return x * log_scale.exp() + shift, log_scale.sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        """Return x (B, D)."""
        log_scale, shift = self._scale_shift(z)
        return (z - shift) * (-log_scale).exp()

    def _scale_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log of the scale, and the shift: 0 where x stays."""
        log_scale, shift = self.net(x * self.mask).chunk(2, dim=1)
        moves = 1 - self.mask
        return moves * self.reach * log_scale.tanh(), moves * shift


class Flow(nn.Module):
    """Couplings one after another, from data to noise and back.

    Each reads the entries that the one before it has moved.
    Source: Dinh et al. 2017.
    Shapes: x (B, *shape), z (B, D) with D the entries of a sample, at
    least 2; layers at least 2.
    """

    def __init__(
        self, shape: tuple[int, ...], layers: int = 8, width: int = 67
    ) -> None:
        super().__init__()
        self.shape = tuple(
            whole(1, **{f"shape[{i}]": n for i, n in enumerate(shape)})
        )
        (layers,), dim = whole(1, layers=layers), math.prod(self.shape)
        if dim < 2 or layers < 2:
            raise ValueError(
                "a flow needs two entries and two layers, so that each "
                f"entry moves; got shape {shape} and {layers} layers"
            )
        mask = (torch.arange(dim) % 2).float()
        self.couplings = nn.ModuleList(
            Coupling(mask if i % 2 else 1 - mask, width) for i in range(layers)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return z (B, D) and log |det dz/dx| (B,)."""
        if batch("x", x).shape[1:] != self.shape:
            raise ValueError(
                f"x must be (B, {', '.join(map(str, self.shape))}), got "
                f"{tuple(x.shape)}"
            )
        h = in_dtype_of(self, x.flatten(1))
        log_det = h.new_zeros(len(h))
        for coupling in self.couplings:
            h, more = coupling(h)
            log_det = log_det + more
        return h, log_det

    def inverse(self, z: Tensor) -> Tensor:
        """Return the x that forward maps to z: (B, *shape)."""
        z = in_dtype_of(self, z)
        for coupling in reversed(self.couplings):
            z = cast(Coupling, coupling).inverse(z)
        return z.reshape(-1, *self.shape)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x), exactly, in nats: (B,).

        log N(z; 0, I) + log |det dz/dx|.
        Book: eq-change-of-variables. Source: Dinh et al. 2017.
        """
        z, log_det = self(x)
        normal = -(z.square() + math.log(2 * math.pi)).sum(1) / 2
        return normal + log_det

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Return n samples, (n, *shape)."""
        (n,) = whole(1, n=n)
        return self.inverse(normal((n, math.prod(self.shape)), generator))


def flow_loss(
    model: Flow, x: Tensor, *, generator: torch.Generator | None = None
) -> Tensor:
    """Return -log p(x), its mean over the batch in nats per dimension.

    Nothing in it is random; the generator is there because ``train`` hands
    one to every loss.
    """
    return -model.log_prob(x).mean() / x[0].numel()
