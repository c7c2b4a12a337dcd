"""Students of one pass: how each is trained, and how good it is meanwhile."""

import copy
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffusion_lite.data import digits, eight_modes
from diffusion_lite.distillation import (
    HALVINGS,
    consistency_loss,
    consistency_sample,
    progressive_loss,
    shortcut_loss,
    shortcut_sample,
)
from diffusion_lite.elbo import denoising_loss, v_loss
from diffusion_lite.metrics import energy_distance
from diffusion_lite.networks import MLP, UNet, VPrediction
from diffusion_lite.solvers import ddim_sample, exact_flow, uniform_times
from diffusion_lite.training import last, train
from experiments.fast import protocol
from experiments.fast.protocol import SCHEDULE, SEEDS
from experiments.fast.table import Row

HALVED = 16
"""The steps of the first teacher of progressive distillation."""
NEIGHBOURS = {True: (20,), False: (5, 10, 20, 40)}
"""The steps between whose ends a consistency model agrees: distilled, and
trained, where their number doubles after each quarter of the training."""
FEW = {1: [99, 0], 2: [99, 60, 0], 4: [99, 75, 50, 25, 0]}
"""Where a consistency model is asked, in so many passes."""
MARKS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""The shares of a training after which its network is measured."""

Sampler = Callable[[Tensor, torch.Generator], Tensor]
Measured = tuple[Row, nn.Module]


@dataclass(frozen=True, eq=False)
class Task:
    """Data, the network that a student starts from, and what is measured."""

    name: str
    data: tuple[Tensor, ...]  # x_0, and y if there are labels
    network: nn.Module  # the teacher
    blank: Callable[[], nn.Module]  # the same, untrained
    shortcut: Callable[[], nn.Module]
    asked: Callable[[nn.Module], Callable]  # a network, as a teacher
    labels: Tensor | None  # of the samples
    measure: Callable[[Sampler], Iterator[tuple[int, float, float]]]
    batch_size: int
    lr: float
    steps: int  # of a consistency model; the others have a multiple of it


class Point(NamedTuple):
    """Where a training stands when its network is measured."""

    step: int
    minutes: float
    loss: float
    network: nn.Module


def taught(
    task: Task, net: nn.Module, loss: Callable, steps: int, lr: float
) -> Iterator[Point]:
    """Train a copy of the network; yield it at each of the MARKS."""
    net = copy.deepcopy(net).requires_grad_(True)
    run = train(
        net,
        loss,
        task.data,
        steps=steps,
        batch_size=task.batch_size,
        lr=lr,
        generator=torch.Generator().manual_seed(0),
    )
    marks, losses = {round(steps * share) for share in MARKS}, []
    begin, spent = time.process_time(), 0.0
    for state in run:
        losses.append(state.loss)
        if state.step in marks:
            spent += time.process_time() - begin
            mean = sum(losses) / len(losses)
            yield Point(state.step, spent / 60, mean, state.ema)
            losses, begin = [], time.process_time()


def progressive(task: Task) -> Iterator[Measured]:
    """Halve the steps of the network, again and again, down to one.

    Yields a row for each thing measured, and its network.
    """
    net, step, minutes, passes = task.network, 0, 0.0, HALVED
    while passes > 1:
        times = uniform_times(SCHEDULE, passes)
        loss = partial(
            progressive_loss,
            teacher=task.asked(copy.deepcopy(net).requires_grad_(False)),
            times=times,
            schedule=SCHEDULE,
        )
        passes //= 2
        steps = task.steps // 4 if passes > 1 else task.steps * 3 // 4
        for point in taught(task, net, loss, steps, task.lr):
            net = point.network
            now = point._replace(
                step=step + point.step, minutes=minutes + point.minutes
            )
            sample = by_ddim(task, net, times[::2])
            yield from rows(task, "progressive", now, passes, sample)
        step, minutes = now.step, now.minutes


def consistency(task: Task, distilled: bool) -> Iterator[Measured]:
    """Train a consistency model: with the network as its teacher, or not."""
    method = f"consistency, {'distilled' if distilled else 'trained'}"
    net = task.network if distilled else task.blank()
    teacher = task.asked(task.network) if distilled else None
    steps = task.steps if distilled else task.steps * 3 // 2
    grids = [uniform_times(SCHEDULE, n) for n in NEIGHBOURS[distilled]]
    asked = itertools.count()

    def loss(net: nn.Module, *rows: Tensor, **options: object) -> Tensor:
        return consistency_loss(
            net,
            *rows,
            teacher=teacher,
            times=grids[next(asked) * len(grids) // steps],
            schedule=SCHEDULE,
            **options,
        )

    lr = task.lr if distilled else 2 * task.lr
    for point in taught(task, net, loss, steps, lr):
        for passes, times in FEW.items():
            if passes == 1 or point.step == steps:
                sample = by_noising(task, point.network, times)
                yield from rows(task, method, point, passes, sample)


def shortcut(task: Task) -> Iterator[Measured]:
    """Train a shortcut model, from the data alone."""
    steps, net = task.steps * 3 // 2, task.shortcut()
    for point in taught(task, net, shortcut_loss, steps, 2 * task.lr):
        for halvings in (0, 1, 2, HALVINGS):
            if halvings == 0 or point.step == steps:
                sample = by_steps(task, point.network, halvings)
                yield from rows(task, "shortcut", point, 2**halvings, sample)


METHODS: dict[str, Callable[[Task], Iterator[Measured]]] = {
    "progressive": progressive,
    "consistency, distilled": partial(consistency, distilled=True),
    "consistency, trained": partial(consistency, distilled=False),
    "shortcut": shortcut,
}


def told(net: nn.Module, labels: Tensor | None) -> Callable:
    """Return the network for these labels, as it was trained: not clamped."""
    return net if labels is None else partial(net, y=labels)


def by_ddim(task: Task, net: nn.Module, times: list[int]) -> Sampler:
    """Return what samples by DDIM: with two times, in one pass."""
    ask = told(net, task.labels)
    return lambda x_T, _: last(ddim_sample(ask, x_T, SCHEDULE, times))


def by_noising(task: Task, net: nn.Module, times: list[int]) -> Sampler:
    """Return what samples in passes to x_0, noised anew in between."""
    ask = told(net, task.labels)

    def sample(x_T: Tensor, generator: torch.Generator) -> Tensor:
        run = consistency_sample(
            ask, x_T, SCHEDULE, times, generator=generator
        )
        return last(run)

    return sample


def by_steps(task: Task, net: nn.Module, halvings: int) -> Sampler:
    """Return what samples in 2^halvings equal steps."""
    ask = told(net, task.labels)
    return lambda x_T, _: last(shortcut_sample(ask, x_T, halvings))


def in_one_pass(method: str, y: Tensor, x_T: Tensor) -> Tensor:
    """Return the digits of the classes y that a committed student draws."""
    file = method.replace(", ", "-")
    if method == "shortcut":
        ask = told(protocol.kept(SizedUNet(), file), y)
        return last(shortcut_sample(ask, x_T, 0))
    ask = told(protocol.kept(protocol.network(), file), y)
    return last(ddim_sample(ask, x_T, SCHEDULE, [SCHEDULE.T, 0]))


def rows(
    task: Task, method: str, point: Point, passes: int, sample: Sampler
) -> Iterator[Measured]:
    """Yield a row for each seed, with the network."""
    for seed, distance, error in task.measure(sample):
        row = Row(
            part=f"{task.name}, {method}",
            method=method,
            passes=passes,
            seed=seed,
            step=point.step,
            minutes=point.minutes,
            loss=point.loss,
            distance=distance,
            error=error,
        )
        yield row, point.network


class SizedUNet(nn.Module):
    """A U-Net that is told how far to step: by ten labels for each size."""

    def __init__(self) -> None:
        super().__init__()
        self.net = UNet(width=16, num_classes=10 * (HALVINGS + 1))

    def forward(
        self, x: Tensor, step: Tensor, halvings: Tensor, y: Tensor
    ) -> Tensor:
        """Return the mean velocity, of x's shape."""
        return self.net(x, step, y=10 * halvings + y)


class SizedMLP(nn.Module):
    """An MLP that is told how far to step: by one more coordinate."""

    def __init__(self) -> None:
        super().__init__()
        self.net = MLP(dim=3)

    def forward(self, x: Tensor, step: Tensor, halvings: Tensor) -> Tensor:
        """Return the mean velocity (B, 2)."""
        size = halvings[:, None] / HALVINGS
        return self.net(torch.cat([x, size.to(x)], 1), step)[:, :2]


def seeded(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """Return what makes a network, always with the same first weights."""

    def made() -> nn.Module:
        torch.manual_seed(0)
        return make()

    return made


def digits_task(steps: int = 4_000) -> Task:
    """Return the 8x8 digits, with the committed network as the teacher."""
    data = digits()
    network = protocol.kept(protocol.network(), "network")

    def asked(net: nn.Module) -> Callable:
        return lambda x_t, t, y: protocol.clamped(net, y)(x_t, t)

    teacher, ends = protocol.clamped(network, data.test_labels), {}
    for seed in SEEDS:
        x_T, _ = protocol.noise(seed)
        ends[seed] = protocol.flow_end(teacher, x_T)

    def measure(sample: Sampler) -> Iterator[tuple[int, float, float]]:
        for seed in SEEDS:
            x_0 = sample(*protocol.noise(seed))
            error = protocol.error(x_0, ends[seed])
            yield seed, protocol.distance(x_0), error

    return Task(
        "digits",
        (data.train_images, data.train_labels),
        network,
        seeded(protocol.network),
        seeded(SizedUNet),
        asked,
        data.test_labels,
        measure,
        batch_size=64,
        lr=1e-3,
        steps=steps,
    )


def ring_task(steps: int = 3_000) -> Task:
    """Return the ring of eight modes, with a network that learns it first."""
    ring, size = eight_modes(), 1_000
    generator = torch.Generator().manual_seed(0)
    points = ring.sample(100_000, generator=generator).float()
    blank = seeded(lambda: VPrediction(MLP(), SCHEDULE))
    run = train(
        blank(),
        partial(denoising_loss, schedule=SCHEDULE, loss=v_loss),
        points,
        steps=steps // 2,
        batch_size=1024,
        lr=1e-2,
        generator=generator,
    )
    known = []
    for seed in SEEDS:
        x_T = torch.randn(size, 2, generator=generator.manual_seed(seed))
        real = ring.sample(size, generator=generator).float()
        known.append((x_T, real, exact_flow(ring, x_T, SCHEDULE)))

    def measure(sample: Sampler) -> Iterator[tuple[int, float, float]]:
        for seed, (x_T, real, end) in zip(SEEDS, known, strict=True):
            x_0 = sample(x_T, torch.Generator().manual_seed(seed))
            distance = float(energy_distance(x_0, real))
            yield seed, distance, protocol.error(x_0, end)

    return Task(
        "ring",
        (points,),
        last(run).ema,
        blank,
        seeded(SizedMLP),
        lambda net: net,
        None,
        measure,
        batch_size=1024,
        lr=2e-3,
        steps=steps,
    )
