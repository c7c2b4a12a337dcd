"""Chapter 4's live figure: draw, add noise, and see who can undo it."""

from functools import cache

import torch
from sklearn.linear_model import LogisticRegression
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
    digits; a logistic regression reads which digit each picture shows. It is
    handed one clear test picture of each digit to begin with.

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
            **digit_reader(),
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


@cache
def _reader() -> LogisticRegression:
    """Return a logistic regression that reads digits from their pixels.

    It reads 97 % of the test pictures right, with a seventieth of the weights
    of ``metrics.digit_classifier``, which reads 98 %.
    """
    data = digits()
    pixels = data.train_images.flatten(1).numpy()
    return LogisticRegression(max_iter=1000).fit(pixels, data.train_labels)


def digit_reader() -> dict[str, bytes]:
    """Return what reads the digits: weights (10, 64) and a bias (10,)."""
    return {
        "read": floats(torch.from_numpy(_reader().coef_)),
        "bias": floats(torch.from_numpy(_reader().intercept_)),
    }


def one_of_each() -> Tensor:
    """Return of each digit the first clear test picture, (10, 1, 8, 8).

    A picture is clear if it is read as that digit with at least 90 %.
    """
    data = digits()
    pixels = data.test_images.flatten(1).numpy()
    clear = torch.from_numpy(_reader().predict_proba(pixels)) >= 0.9
    of_digit = clear & (data.test_labels[:, None] == torch.arange(10))
    return data.test_images[of_digit.long().argmax(0)]


def as_text(image: Tensor) -> str:
    """Return a picture as 64 characters, one for each grey level."""
    levels = ((image.flatten() + 1) * 8).round().long()
    return "".join(LEVELS[level] for level in levels.tolist())
