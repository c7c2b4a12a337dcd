"""Chapter 5's live figure: points move from noise to data."""

import copy
from collections.abc import Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor

from diffusion_lite.elbo import denoising_loss
from diffusion_lite.explorables.explorable import (
    Explorable,
    network_data,
    plane_mixture,
)
from diffusion_lite.forward import q_sample
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.networks import MLP
from diffusion_lite.schedules import Schedule
from diffusion_lite.training import train

Snapshot = tuple[int, MLP]
"""A step of training, and the network as it was after that step."""

SNAPSHOTS = (0, 10, 20, 50, 100, 200, 400, 800, 1500)
NUM_POINTS = 2000


class TrainingExplorable(Explorable):
    """Two thousand points sampled by a network, or by the exact denoiser.

    The script runs both, by the random steps of ``ddpm_sample`` or by the
    deterministic ones of DDIM, from the same noise; x_0 is clamped to the
    data's range (``clamp_x_0``). It is handed the networks' weights in half
    precision, and each one's loss above the floor. Without snapshots there
    is the exact denoiser alone; as a ``cover`` it plays by itself, with no
    controls but two.

    Raises:
        ValueError: the mixture is not 2-D with axes along x and y, or the
            snapshots are not networks of one shape with finite weights.
    """

    def __init__(
        self,
        mixture: GaussianMixture,
        schedule: Schedule,
        snapshots: Sequence[Snapshot] = (),
        *,
        cover: bool = False,
        figure: str = "",
    ) -> None:
        """Take the data's distribution, and networks trained on it, if any."""
        _check(mixture, snapshots)
        data = {
            "mixture": plane_mixture(mixture),
            "alpha_bar": schedule.alpha_bar.tolist(),
            "beta": schedule.beta.tolist(),
            "num_points": NUM_POINTS,
            "cover": cover,
            "excess": [excess(net, mixture, schedule) for _, net in snapshots],
            "steps": [step for step, _ in snapshots],
        }
        if snapshots:
            data |= network_data(*(net for _, net in snapshots))
        super().__init__(data=data, figure=figure)


def _check(mixture: GaussianMixture, snapshots: Sequence[Snapshot]) -> None:
    if mixture.dim != 2:
        raise ValueError(f"the mixture must be 2-D, got {mixture.dim}-D")
    tilt = float(mixture.covariances[:, 0, 1].abs().max())
    if tilt > 0:
        raise ValueError(
            "the mixture's components must have their axes along x and y, got "
            f"a covariance of {tilt:g}"
        )
    for step, net in snapshots:
        first = snapshots[0][1]
        if not isinstance(net, MLP) or net.dim != 2:
            raise ValueError(f"snapshot {step} must be an MLP for 2-D points")
        if net.width % 2:
            raise ValueError(f"its width must be even, got {net.width}")
        if (net.width, len(net.layers)) != (first.width, len(first.layers)):
            raise ValueError(
                f"snapshot {step} must have the shape of the first one, got "
                f"width {net.width} and depth {len(net.layers)}"
            )


@torch.no_grad()
def excess(
    net: MLP, mixture: GaussianMixture, schedule: Schedule, n: int = 4000
) -> float:
    """Return how far a network's mean loss lies above the floor.

    E |eps_hat - E[eps | x_t]|^2 / D over n samples of x_0, t and eps, always
    the same ones.
    """
    generator = torch.Generator().manual_seed(0)
    x_0 = mixture.sample(n, generator=generator).float()
    t = torch.randint(1, schedule.T + 1, (n,), generator=generator)
    eps = torch.randn(x_0.shape, generator=generator)
    x_t = q_sample(x_0, t, eps, schedule)
    there = next(net.parameters()).device
    eps_hat = net(x_t.to(there), t.to(there)).cpu()
    return float(
        (eps_hat - mixture.optimal_eps(x_t, t, schedule)).square().mean()
    )


def train_snapshots(
    mixture: GaussianMixture,
    schedule: Schedule,
    *,
    steps: Sequence[int] = SNAPSHOTS,
    width: int = 32,
    generator: torch.Generator,
) -> list[Snapshot]:
    """Train an MLP on samples of a mixture; keep copies after given steps.

    What is kept are the weights as they were, and after the last step their
    running mean, which is the model to sample with.
    """
    points = mixture.sample(20_000, generator=generator).float()
    net = MLP(width=width)
    run = train(
        net,
        partial(denoising_loss, schedule=schedule),
        points,
        steps=max(steps),
        batch_size=256,
        lr=1e-2,
        generator=generator,
    )
    kept = [(0, copy.deepcopy(net))]
    for state in run:
        if state.step == max(steps):
            kept.append((state.step, cast(MLP, state.ema)))
        elif state.step in steps:
            kept.append((state.step, copy.deepcopy(net)))
    return [(step, each.cpu().requires_grad_(False)) for step, each in kept]


def handwriting_mixture(images: Tensor) -> GaussianMixture:
    """Return a 2-D mixture that looks like pictures (N, 1, 8, 8) in a row.

    One component for each pixel with ink, weighted by the square of its ink,
    so that strokes stand out. Both axes are scaled to mean 0, variance 1.
    """
    ink = ((images[:, 0] + 1) / 2).double().square()
    sheet = torch.cat(list(ink), dim=1)  # (8, 8 N)
    row, column = sheet.nonzero(as_tuple=True)
    weights = sheet[row, column] / sheet.sum()
    places = torch.stack([column, -row], dim=1).double()
    mean = weights @ places
    std = 0.25  # of a component, in pixels
    variance = weights @ (places - mean).square() + std**2
    covariance = torch.diag(std**2 / variance)
    return GaussianMixture(
        weights,
        (places - mean) / variance.sqrt(),
        covariance.expand(len(weights), 2, 2),
    )
