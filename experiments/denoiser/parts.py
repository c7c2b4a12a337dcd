"""What do a start at zero, fitting frequencies and v-prediction contribute?

Run: python -m experiments.denoiser.parts

Seven minutes on one core. It trains lab 5's U-Net on the digits, with one
thing changed at a time and three seeds, and writes parts.csv, which chapter 4
reads.
"""

import csv
import math
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn

from diffusion_lite import networks
from diffusion_lite.data import digits
from diffusion_lite.elbo import denoising_loss, loss_by_time, v_loss
from diffusion_lite.metrics import digit_features, frechet_distance
from diffusion_lite.networks import UNet, VPrediction
from diffusion_lite.sampling import clamp_x_0, ddpm_sample
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.training import last, train

TABLE = Path(__file__).with_name("parts.csv")
SCHEDULE = cosine_schedule(100)
SEEDS = (0, 1, 2)
VARIANTS = ("usual start", "zero start", "fitting frequencies", "v")
"""The last two have the zero start, too."""


def fitting_embedding(t: Tensor, dim: int) -> Tensor:
    """Return time_embedding with wavelengths from 2 pi to 2 T steps."""
    share = torch.arange(dim // 2) / (dim // 2 - 1)
    angle = t[:, None] * (math.pi / SCHEDULE.T) ** share
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def network(variant: str) -> nn.Module:
    """Return a variant of the U-Net, untrained."""
    net = UNet(width=16, num_classes=10)
    if variant == "usual start":
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.reset_parameters()
    return VPrediction(net, SCHEDULE) if variant == "v" else net


def trained(variant: str, seed: int, steps: int) -> nn.Module:
    """Return a variant, trained on the training digits."""
    data = digits()
    torch.manual_seed(seed)  # the first weights
    options = {"loss": v_loss} if variant == "v" else {}
    run = train(
        network(variant),
        partial(denoising_loss, schedule=SCHEDULE, **options),
        (data.train_images, data.train_labels),
        steps=steps,
        batch_size=64,
        lr=4e-3,
        generator=torch.Generator().manual_seed(seed),
    )
    return last(run).ema


def measured(variant: str, seed: int, steps: int) -> tuple[float, float]:
    """Return a variant's loss on test pictures, and Frechet distance.

    The distance is that of as many samples as there are training pictures,
    of the same classes, to those.
    """
    data = digits()
    generator = torch.Generator().manual_seed(seed)
    y = data.train_labels
    fitting = variant == "fitting frequencies"
    embedding = fitting_embedding if fitting else networks.time_embedding
    with patch.object(networks, "time_embedding", embedding):
        model = trained(variant, seed, steps)
        losses = loss_by_time(
            partial(model, y=data.test_labels),
            data.test_images,
            SCHEDULE,
            generator=generator,
        )
        run = ddpm_sample(
            clamp_x_0(partial(model, y=y), SCHEDULE, low=-1, high=1),
            torch.randn(len(y), 1, 8, 8, generator=generator),
            SCHEDULE,
            generator=generator,
        )
        sampled = digit_features(last(run))
    distance = frechet_distance(sampled, digit_features(data.train_images))
    return float(losses[1:].mean()), float(distance)


def table() -> list[dict[str, str]]:
    """Return the committed table, a row for each run."""
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def main(path: Path = TABLE, steps: int = 1500) -> None:
    """Train and measure every variant with every seed; write the table."""
    rows = [
        (variant, seed, *measured(variant, seed, steps))
        for seed in SEEDS
        for variant in VARIANTS
    ]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("variant", "seed", "loss", "frechet"), *rows]
        )


if __name__ == "__main__":
    main()
