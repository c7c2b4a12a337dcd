"""What the parts of the book hand to one another: protocols, no code."""

from typing import Protocol

from torch import Tensor

from diffusion_lite.schedules import Schedule


class Denoiser(Protocol):
    """Anything that guesses the noise: a network, or the exact answer."""

    def __call__(self, x_t: Tensor, t: Tensor, /) -> Tensor:
        """Return eps_hat (B, ...) for x_t (B, ...) and t (B,)."""
        ...


class ReverseVariance(Protocol):
    """A choice for the variance of p(x_{t-1} | x_t)."""

    def __call__(self, t: int | Tensor, schedule: Schedule, /) -> Tensor:
        """Return it, () for an int t, (B,) for t (B,)."""
        ...


class Decoder(Protocol):
    """A choice for log p(x_0 | x_1), given its mean and its variance."""

    def __call__(self, x: Tensor, mean: Tensor, variance: Tensor, /) -> Tensor:
        """Return it for each entry, in nats."""
        ...
