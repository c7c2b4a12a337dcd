"""What is learned, and how it is measured: modes in the plane, and digits."""

import math

import torch
from torch import Tensor

from diffusion_lite import metrics
from diffusion_lite.data import digits, eight_modes
from diffusion_lite.mixtures import GaussianMixture
from experiments.contest import reader


def grid(side: int) -> GaussianMixture:
    """Return side x side equal modes on a square, with E |x|^2 / 2 = 1.

    A mode is a tenth as wide as the way to the next one is long.
    """
    steps = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    means = torch.cartesian_prod(steps, steps)
    std = 0.1
    scale = 1 / math.sqrt(float(steps.square().mean()) + std**2)
    eye = torch.eye(2, dtype=torch.float64)
    return GaussianMixture(
        torch.full((side**2,), 1 / side**2, dtype=torch.float64),
        scale * means,
        ((scale * std) ** 2 * eye).expand(side**2, 2, 2),
    )


MIXTURES = {
    "ring": eight_modes(),
    "grid25": grid(5),
    "grid100": grid(10),
    "grid400": grid(20),
}


class Plane:
    """Modes in the plane: everything about them is known exactly."""

    picture = False
    seconds = 8.0  # of CPU, for one training
    block, blocks = 4_000, 5  # samples that enter a distance; in all
    few = 2_000  # samples for an evaluation in between
    bound = 2.5  # of the data, for a denoiser's x_0

    def __init__(self, name: str, seed: int) -> None:
        self.mixture = MIXTURES[name]
        self.weights = self.mixture.weights
        self.data = self._points(100_000, seed)
        self.seed = seed

    def set_test_aside(self) -> None:
        """Do nothing: the points to compare with are new ones each time."""

    def real(self, n: int) -> Tensor:
        """Return n points that no model has seen: for all methods the same."""
        return self._points(n, 10_000 + self.seed)

    def fresh(self, n: int, generator: torch.Generator) -> Tensor:
        """Sample n points as a perfect model would, (n, 2)."""
        return self.mixture.sample(n, generator=generator).float()

    def distance(self, x: Tensor) -> float:
        """Return what settings are chosen by: the energy distance."""
        return float(metrics.energy_distance(x, self.real(len(x))))

    def measures(self, x: Tensor) -> dict:
        """Return all that is measured of blocks * block samples (N, 2)."""
        made, real = x[: self.block], self.real(self.block)
        return {
            "energy": float(metrics.energy_distance(made, real)),
        } | _counted(
            metrics.mode_weights(x, self.mixture),
            self.weights,
            (metrics.precision_recall(made, real)),
        )

    def _points(self, n: int, seed: int) -> Tensor:
        chance = torch.Generator().manual_seed(seed)
        return self.mixture.sample(n, generator=chance).float()


class Handwriting:
    """The 8x8 digits without their labels, split anew for each seed.

    1,069 to learn from, 364 to compare with, and 364 more that are compared
    with those as a model's are: the floor.
    """

    picture = True
    seconds = 20.0
    block, blocks = 364, 2
    few = 182
    bound = 1.0

    def __init__(self, name: str, seed: int) -> None:
        each = digits()
        images = torch.cat([each.train_images, each.test_images])
        chance = torch.Generator().manual_seed(seed)
        images = images[torch.randperm(len(images), generator=chance)]
        self.data, self.others = (
            images[: -2 * self.block],
            images[-self.block :],
        )
        self.held_out = images[-2 * self.block : -self.block]
        self._read()

    def _read(self) -> None:
        """Read the pictures that are compared with, as samples will be."""
        self.real_features = reader.features(self.held_out)
        self.weights = self._shares(self.held_out)

    def set_test_aside(self) -> None:
        """Compare with some of the training pictures, in the test's place."""
        self.held_out = self.data[: self.block]
        self.data = self.data[self.block :]
        self._read()

    def fresh(self, n: int, generator: torch.Generator) -> Tensor:
        """Return other real pictures, (364, 1, 8, 8), whatever n is."""
        return self.others

    def distance(self, x: Tensor) -> float:
        """Return what settings are chosen by: the Frechet distance."""
        made = reader.features(x.clamp(-1, 1))
        return float(metrics.frechet_distance(made, self.real_features))

    def measures(self, x: Tensor) -> dict:
        """Return all that is measured of samples (N, 1, 8, 8), N in blocks.

        As on a screen, no ink is darker than black: x is clamped. The energy
        distance is of the pixels, and needs no network.
        """
        x = x.clamp(-1, 1)
        each = [self._block(block) for block in x.split(self.block)]
        means = torch.tensor(each, dtype=torch.float64).mean(0).tolist()
        found = dict(zip(("energy", "frechet"), means[:2], strict=True))
        return found | _counted(self._shares(x), self.weights, means[2:])

    def _block(self, x: Tensor) -> tuple[float, ...]:
        made = reader.features(x)
        return (
            float(
                metrics.energy_distance(x.flatten(1), self.held_out.flatten(1))
            ),
            float(metrics.frechet_distance(made, self.real_features)),
            *metrics.precision_recall(made, self.real_features),
        )

    def _shares(self, x: Tensor) -> Tensor:
        return reader.labels(x).bincount(minlength=10).double() / len(x)


def _counted(shares: Tensor, weights: Tensor, covered: tuple) -> dict:
    return {
        "weights_tv": float(metrics.total_variation(shares, weights)),
        "modes_lost": metrics.modes_lost(shares, weights),
        "precision": covered[0],
        "recall": covered[1],
    }


Task = Plane | Handwriting


def task(name: str, seed: int) -> Task:
    """Return a task with the data of a seed."""
    return (Handwriting if name == "digits" else Plane)(name, seed)
