"""Chapter 4's live figure: draw, add noise, and see who can undo it."""

import torch
from torch import Tensor

from diffusion_lite.data import digits
from diffusion_lite.explorables.explorable import (
    Explorable,
    floats,
    network_data,
)
from diffusion_lite.networks import UNet
from diffusion_lite.schedules import Schedule

LEVELS = "0123456789abcdefg"
"""One character for each of the digits' 17 grey levels, from paper to ink."""


class DenoiserExplorable(Explorable):
    """Draw on an 8x8 grid, and see what two denoisers make of it in noise.

    The script runs the network, from its weights in half precision, and the
    best linear denoiser, from the mean and the covariance of the training
    digits. It is handed one test picture of each digit to begin with.

    Raises:
        ValueError: network is not a UNet for one channel without labels,
            or has a weight that half precision cannot hold; schedule is
            not a Schedule.
    """

    def __init__(
        self, network: UNet, schedule: Schedule, *, figure: str = ""
    ) -> None:
        """Take a trained network and the schedule that it was trained on."""
        _check(network)
        if not isinstance(schedule, Schedule):
            given = type(schedule).__name__
            raise ValueError(f"schedule must be a Schedule, got {given}")
        data = {
            "alpha_bar": schedule.alpha_bar.tolist(),
            "width": network.width,
            "starts": [as_text(image) for image in one_of_each()],
            **network_data(network),
            **linear_denoiser(digits().train_images),
        }
        super().__init__(data=data, figure=figure)


def _check(network: UNet) -> None:
    if not isinstance(network, UNet):
        given = type(network).__name__
        raise ValueError(f"network must be a UNet, got {given}")
    if network.channels != 1 or network.label is not None:
        told = "without" if network.label is None else "with"
        raise ValueError(
            "network must have 1 channel and no labels, got "
            f"{network.channels} channels, {told} labels"
        )


def linear_denoiser(images: Tensor) -> dict[str, bytes]:
    """Return the mean and the main directions of pictures (N, 1, 8, 8).

    All that the best linear denoiser knows: the mean (64,), the covariance's
    eigenvalues (64,), and its eigenvectors, one a row (64, 64).
    """
    flat = images.flatten(1).double()
    covariance = torch.cov(flat.T, correction=0)
    variances, axes = torch.linalg.eigh(covariance)
    return {
        "mean": floats(flat.mean(0)),
        "variances": floats(variances.clamp(min=0)),
        "axes": floats(axes.T),
    }


def one_of_each() -> Tensor:
    """Return the first test picture of each digit, (10, 1, 8, 8)."""
    data = digits()
    first = [(data.test_labels == k).nonzero()[0, 0] for k in range(10)]
    return data.test_images[torch.stack(first)]


def as_text(image: Tensor) -> str:
    """Return a picture as 64 characters, one for each grey level."""
    levels = ((image.flatten() + 1) * 8).round().long()
    return "".join(LEVELS[level] for level in levels.tolist())
