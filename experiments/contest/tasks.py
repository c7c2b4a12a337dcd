"""The contest's two distributions: what is learned, and how it is measured."""

import torch
from torch import Tensor

from diffusion_lite import metrics
from diffusion_lite.data import digits, eight_modes
from diffusion_lite.training import sample_batch


class Ring:
    """The ring of eight unequal modes: everything is known exactly."""

    seconds = 15.0  # of CPU, for one training
    samples = 50_000  # points that are measured at the end
    block = 4_000  # points that enter a distance
    few = 2_000  # points for an evaluation in between
    nats = 4_000  # points whose likelihood is taken
    mixture = eight_modes()
    weights = mixture.weights
    distance = staticmethod(metrics.energy_distance)

    def __init__(self, generator: torch.Generator) -> None:
        self.data = self.mixture.sample(100_000, generator=generator).float()
        self.seed = 2000 + generator.initial_seed()

    def set_test_aside(self) -> None:
        """Do nothing: the points to compare with are new ones each time."""

    def real(self, n: int) -> Tensor:
        """Sample n points that no model has seen, (n, 2): for all the same."""
        generator = torch.Generator().manual_seed(self.seed)
        return self.mixture.sample(n, generator=generator).float()

    def fresh(self, n: int, generator: torch.Generator) -> Tensor:
        """Sample n points as a perfect model would, (n, 2)."""
        return self.mixture.sample(n, generator=generator).float()

    def features(self, x: Tensor) -> Tensor:
        """Return what the distances are taken in: the points, (N, 2)."""
        return x

    def shares(self, x: Tensor) -> Tensor:
        """Return each mode's share of x, (8,)."""
        return metrics.mode_weights(x, self.mixture)


class Handwriting:
    """The 8x8 digits without their labels; 364 of them are held out."""

    seconds = 30.0
    samples = block = 1_433
    few = 182
    nats = 0  # levels of grey need each model's own decoder
    distance = staticmethod(metrics.frechet_distance)

    def __init__(self, generator: torch.Generator) -> None:
        each = digits()
        self.data, self.held_out = each.train_images, each.test_images
        self.weights = each.test_labels.bincount() / len(each.test_labels)

    def set_test_aside(self) -> None:
        """Hold out every fourth training picture in place of the test's."""
        fourth = torch.arange(len(self.data)) % 4 == 0
        self.held_out, self.data = self.data[fourth], self.data[~fourth]

    def real(self, n: int) -> Tensor:
        """Return the held-out pictures, (364, 1, 8, 8), whatever n is."""
        return self.held_out

    def fresh(self, n: int, generator: torch.Generator) -> Tensor:
        """Sample n training pictures, their classes random as a model's."""
        return sample_batch((self.data,), n, generator)[0]

    def features(self, x: Tensor) -> Tensor:
        """Return what the distances are taken in, (N, 64).

        As on a screen, no ink is darker than black: x is clamped.
        """
        return metrics.digit_features(x.clamp(-1, 1))

    def shares(self, x: Tensor) -> Tensor:
        """Return the share of x that is read as each digit, (10,)."""
        labels = metrics.digit_labels(x.clamp(-1, 1))
        return labels.bincount(minlength=10) / len(x)


TASKS = {"ring": Ring, "digits": Handwriting}
Task = Ring | Handwriting
