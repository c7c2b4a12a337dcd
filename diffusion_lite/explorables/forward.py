"""Chapter 1's live figure: a picture, a cloud and a density become noise."""

import torch
from torch import Tensor

from diffusion_lite.data import digits, eight_modes, two_modes
from diffusion_lite.explorables.explorable import (
    Explorable,
    floats,
    line_mixture,
)
from diffusion_lite.forward import class_probs, q_sample
from diffusion_lite.schedules import Schedule

NUM_POINTS = 1000


class ForwardExplorable(Explorable):
    """Scrub t over a digit, 2-D points and a density; tell a 3 from an 8.

    The script computes alpha_bar, the snr, the mixture's density, its distance
    to pure noise, and the probability of each class. It is handed the
    threes and eights of the training set, points of ``eight_modes``, the
    mixture ``two_modes``, and how often the best guess is right.
    """

    def __init__(
        self, *, generator: torch.Generator, figure: str = ""
    ) -> None:
        """Sample the points and the accuracy's noise with the generator."""
        images, eight = threes_and_eights()
        points = eight_modes().sample(NUM_POINTS, generator=generator)
        log_snr, accuracy = best_accuracy(images, eight, generator)
        data = {
            "images": floats(images),
            "eight": eight.tolist(),
            "num_points": NUM_POINTS,
            "points": floats(points),
            "mixture": line_mixture(two_modes()),
            "log_snr": log_snr.tolist(),
            "accuracy": accuracy.tolist(),
        }
        super().__init__(data=data, figure=figure)


def threes_and_eights() -> tuple[Tensor, Tensor]:
    """Return the training set's threes and eights, and which is an eight."""
    data = digits()
    chosen = (data.train_labels == 3) | (data.train_labels == 8)
    eight = (data.train_labels[chosen] == 8).long()
    return data.train_images[chosen], eight


def best_accuracy(
    images: Tensor, eight: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return places of log SNR, and how often the best guess is right there.

    The mean of the larger class probability over every picture with eight
    samples of noise, at log SNRs from 9 to -10: (M,), (M,). Schedules differ
    only in when they pass such a place.
    """
    log_snr = torch.linspace(9, -10, 77, dtype=torch.float64)
    alpha_bar = torch.cat([log_snr.new_ones(1), log_snr.sigmoid()])
    schedule = Schedule.from_alpha_bar(alpha_bar)
    x_0 = images.repeat(8, 1, 1, 1)
    accuracy = []
    for t in range(1, schedule.T + 1):
        eps = torch.randn(x_0.shape, generator=generator)
        x_t = q_sample(x_0, t, eps, schedule)
        probs = class_probs(x_t, t, images, eight, schedule)
        accuracy.append(probs.max(1).values.mean())
    return log_snr, torch.stack(accuracy)
