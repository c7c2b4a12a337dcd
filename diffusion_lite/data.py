"""What the book learns from: laws we know exactly, and handwriting.

Everything here is drawn by code from a seed, or ships with scikit-learn.
Laws that are Gaussian mixtures come as ``GaussianMixture``, so that their
densities and scores are known; the others are functions that draw points.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion_lite.mixtures import GaussianMixture


def two_modes() -> GaussianMixture:
    """Return the book's law on a line: two unequal modes, 1-D.

    Its mean is 0 and its variance 0.7 0.6^2 + 0.3 1.4^2 + 0.4^2 = 1.
    """
    weights = torch.tensor([0.7, 0.3], dtype=torch.float64)
    means = torch.tensor([[-0.6], [1.4]], dtype=torch.float64)
    covariances = torch.full((2, 1, 1), 0.4**2, dtype=torch.float64)
    return GaussianMixture(weights, means, covariances)


def eight_modes(std: float = 0.1) -> GaussianMixture:
    """Return the running example: eight unequal modes on a ring, 2-D.

    The heaviest mode weighs eight times the lightest, so that wrong mode
    weights show. Scaled so that E |x|^2 / 2 = 1.
    """
    radius = math.sqrt(2 - 2 * std**2)
    angle = torch.arange(8, dtype=torch.float64) * math.pi / 4
    weights = torch.tensor([1, 6, 3, 8, 2, 5, 4, 7], dtype=torch.float64)
    eye = torch.eye(2, dtype=torch.float64)
    return GaussianMixture(
        weights / weights.sum(),
        radius * torch.stack([angle.cos(), angle.sin()], dim=1),
        (std**2 * eye).expand(8, 2, 2),
    )


def moons(n: int, *, generator: torch.Generator) -> Tensor:
    """Draw n points on two interleaved half circles, (n, 2)."""
    u, noise = _draw(n, generator)
    angle = math.pi * u[:, 0]
    upper = u[:, 1] < 0.5
    x = torch.where(upper, angle.cos(), 1 - angle.cos()) - 0.5
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin()) - 0.25
    return 1.4 * torch.stack([x, y], dim=1) + 0.08 * noise


def swiss_roll(n: int, *, generator: torch.Generator) -> Tensor:
    """Draw n points on a spiral of one and a half turns, (n, 2)."""
    u, noise = _draw(n, generator)
    angle = 1.5 * math.pi * (1 + 2 * u[:, 0])
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    return angle[:, None] / 7 * circle + 0.05 * noise


def checkerboard(n: int, *, generator: torch.Generator) -> Tensor:
    """Draw n points on the eight dark squares of a 4x4 board, (n, 2)."""
    u, _ = _draw(n, generator)
    column = (4 * u[:, 0]).floor()
    row = 2 * (2 * u[:, 1]).floor() + column.remainder(2)
    inside = torch.rand(n, generator=generator, dtype=torch.float64)
    return torch.stack([4 * u[:, 0] - 2, row + inside - 2], dim=1) * 0.85


def _draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return n rows of two uniform and of two normal numbers."""
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    kwargs = {"generator": generator, "dtype": torch.float64}
    return torch.rand(n, 2, **kwargs), torch.randn(n, 2, **kwargs)


@dataclass(frozen=True, eq=False)
class Digits:
    """The 8x8 digits: images (N, 1, 8, 8) in [-1, 1], labels (N,) 0..9."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def digits() -> Digits:
    """Return the real handwritten digits that ship with scikit-learn.

    1,797 pictures of 17 grey levels, 0 (paper) to 16 (ink), scaled to
    level / 8 - 1. Of each class, in the order of a fixed shuffle, the
    first four fifths are for training (1,433), the rest for testing (364).
    Source: UCI, Optical Recognition of Handwritten Digits, 1998.
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels / 8 - 1, dtype=torch.float32)
    images, labels = images.reshape(-1, 1, 8, 8), torch.tensor(labels).long()
    train = _first_four_fifths(labels)
    return Digits(images[train], labels[train], images[~train], labels[~train])


def _first_four_fifths(labels: Tensor) -> Tensor:
    """Return a mask (N,) that takes four fifths of each class."""
    generator = torch.Generator().manual_seed(0)
    shuffled = torch.randperm(len(labels), generator=generator)
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for digit in labels.unique():
        members = shuffled[labels[shuffled] == digit]
        mask[members[: len(members) * 4 // 5]] = True
    return mask
