"""Train a diffusion model on MNIST's 28x28 digits, and measure it.

Run: python -m experiments.mnist.run

Half an hour on one core. It writes weights.safetensors, which chapter 5 loads,
and results.csv, its table. Each measure stands beside the same measure of real
pictures.
"""

import csv
import math
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lite import solvers
from diffusion_lite.data import mnist
from diffusion_lite.elbo import denoising_loss, v_loss
from diffusion_lite.metrics import frechet_distance, nearest
from diffusion_lite.networks import UNet, VPrediction
from diffusion_lite.sampling import clamp_x_0, ddpm_sample
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.training import last, train
from diffusion_lite.types import Denoiser

FOLDER = Path(__file__).parent
SCHEDULE = cosine_schedule(100)
STEPS = 9_000


class Row(NamedTuple):
    """One line of the table: generated pictures, and real ones instead."""

    measure: str
    generated: float
    real: float


def table() -> dict[str, Row]:
    """Return the committed table, by the names of the measures."""
    with (FOLDER / "results.csv").open(newline="") as file:
        lines = list(csv.reader(file))[1:]
    return {name: Row(name, float(x), float(y)) for name, x, y in lines}


def network() -> VPrediction:
    """Return the denoiser, untrained: for pictures (B, 4, 14, 14).

    ``pixel_unshuffle`` makes them of 28x28: of every 2x2 pixels four
    channels, at a quarter of the positions.
    """
    return VPrediction(UNet(channels=4, num_classes=10), SCHEDULE)


def trained() -> VPrediction:
    """Return the denoiser with its committed weights."""
    model = network().requires_grad_(False)
    model.load_state_dict(load_file(FOLDER / "weights.safetensors"))
    return model


def fit(steps: int = STEPS) -> VPrediction:
    """Train the denoiser on the 4,000 training pictures and their labels."""
    data = mnist()
    torch.manual_seed(0)  # the first weights
    run = train(
        network(),
        partial(denoising_loss, schedule=SCHEDULE, loss=v_loss),
        (F.pixel_unshuffle(data.train_images, 2), data.train_labels),
        steps=steps,
        batch_size=64,
        lr=4e-3,
        generator=torch.Generator().manual_seed(0),
    )
    return last(run).ema


def denoiser_of(model: nn.Module, y: Tensor) -> Denoiser:
    """Return an eps_model for the classes y, its x_0 kept in the range."""

    def eps_model(x_t: Tensor, t: Tensor) -> Tensor:
        return model(x_t, t, y=y)

    return clamp_x_0(eps_model, SCHEDULE, low=-1, high=1)


def sample(model: nn.Module, y: Tensor, seed: int) -> Tensor:
    """Return a picture of each class in y, by all 100 steps of DDPM."""
    generator = torch.Generator().manual_seed(seed)
    x_T = torch.randn(len(y), 4, 14, 14, generator=generator)
    run = ddpm_sample(
        denoiser_of(model, y), x_T, SCHEDULE, generator=generator
    )
    return F.pixel_shuffle(last(run), 2)


def ddim_sample(model: nn.Module, y: Tensor, seed: int) -> Tensor:
    """Return a picture of each class in y, by ten steps without noise."""
    generator = torch.Generator().manual_seed(seed)
    x_T = torch.randn(len(y), 4, 14, 14, generator=generator)
    times = solvers.uniform_times(SCHEDULE, 10)
    run = solvers.ddim_sample(denoiser_of(model, y), x_T, SCHEDULE, times)
    return F.pixel_shuffle(last(run), 2)


def classifier(images: Tensor, labels: Tensor, seed: int) -> nn.Sequential:
    """Return a small convolutional classifier: 64 features, ten logits."""

    def loss(model, x, y, *, generator):
        by = torch.randint(-2, 3, (2,), generator=generator).tolist()
        return F.cross_entropy(model(x.roll(by, (2, 3))), y)

    torch.manual_seed(seed)
    sizes = 1, 16, 32, 64
    layers = [
        layer
        for a, b in pairwise(sizes)
        for layer in (
            nn.Conv2d(a, b, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
    ]
    head = nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10)
    run = train(
        nn.Sequential(*layers, *head),
        loss,
        (images, labels),
        steps=800,
        batch_size=128,
        lr=2e-3,
        generator=torch.Generator().manual_seed(seed),
    )
    return last(run).ema.eval()


def halves(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return two masks (N,), each of one half of every class."""
    number = torch.stack([labels == k for k in range(10)]).long().cumsum(1)
    first = number[labels, torch.arange(len(labels))] % 2 == 0
    return first, ~first


def distances(sets: list[Tensor], features: nn.Module, to: Tensor) -> float:
    """Return the mean Frechet distance of the sets' features to others."""
    found = [frechet_distance(features(x), features(to)) for x in sets]
    return float(torch.stack(found).mean())


def measured(model: nn.Module) -> list[Row]:
    """Return the table of a trained denoiser."""
    large = [sample(model, mnist().test_labels, seed) for seed in (1, 2)]
    return [*frechet_rows(model, large), read_row(large), nearest_row(large)]


def frechet_rows(model: nn.Module, large: list[Tensor]) -> list[Row]:
    """Return distances to the test pictures, of many generated and of few.

    One half of the training pictures trains the features, the other half is,
    in the floor, what stands for generated ones. Every set has as many
    pictures of each class.
    """
    data = mnist()
    first, second = halves(data.train_labels)
    images, labels = data.train_images, data.train_labels
    features = classifier(images[first], labels[first], seed=1)[:-1]
    order = labels[second].argsort(stable=True).reshape(10, 200)  # by class
    halved, tenths = (
        [images[second][rows.flatten()] for rows in order.chunk(n, 1)[:10]]
        for n in (2, 20)
    )
    few = torch.arange(10).repeat_interleave(10)
    compared = {
        "frechet": (large, halved),
        "frechet of 100": (
            [sample(model, few, seed) for seed in range(10)],
            tenths,
        ),
        "frechet of 100 by ddim": (
            [ddim_sample(model, few, seed) for seed in range(10)],
            tenths,
        ),
    }
    return [
        Row(name, *(distances(x, features, data.test_images) for x in pair))
        for name, pair in compared.items()
    ]


def read_row(large: list[Tensor]) -> Row:
    """Return the share read as asked, by a classifier of the other half."""
    data = mnist()
    second = halves(data.train_labels)[1]
    reader = classifier(
        data.train_images[second], data.train_labels[second], seed=2
    )

    def share(x: Tensor) -> float:
        right = reader(x).argmax(1) == data.test_labels
        return float(right.double().mean())

    shares = [share(x) for x in large]
    return Row("read", sum(shares) / len(shares), share(data.test_images))


def nearest_row(large: list[Tensor]) -> Row:
    """Return the median distance to the nearest training picture."""
    data = mnist()
    generated, real = (
        float(nearest(x, data.train_images)[0].median())
        for x in (large[0], data.test_images)
    )
    return Row("nearest", generated, real)


def main() -> None:
    """Train, measure, write weights and table."""
    begin = time.process_time()
    weights = fit().state_dict()
    minutes = (time.process_time() - begin) / 60
    path = FOLDER / "weights.safetensors"
    save_file({name: x.half() for name, x in weights.items()}, path)
    rows = measured(trained())
    others = (time.process_time() - begin) / 60 - minutes
    rows += [
        Row("CPU minutes, training", minutes, math.nan),
        Row("CPU minutes, measuring", others, math.nan),
    ]
    with (FOLDER / "results.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([Row._fields, *rows])


if __name__ == "__main__":
    main()
