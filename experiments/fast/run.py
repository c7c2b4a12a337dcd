"""Measure how few passes are enough, and train students of one.

Run: python -m experiments.fast.run [part ...]

Without parts it runs them all, in their order: half an hour on one core. Each
part replaces its own rows of results.csv when it is done, so one that was cut
off, or changed, is run again alone. The first, ``network``, trains the
denoiser of the 8x8 digits; the others load its weights.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial

import torch

from diffusion_lite.data import digits, eight_modes
from diffusion_lite.metrics import energy_distance
from diffusion_lite.sampling import ddpm_sample
from diffusion_lite.solvers import uniform_times
from diffusion_lite.training import last
from diffusion_lite.types import Denoiser
from experiments.fast import protocol, students
from experiments.fast.protocol import GRIDS, SCHEDULE, SEEDS, WHOLE, sampled
from experiments.fast.table import Row, read, write
from experiments.mnist import run as mnist_run

FEW = (5, 10, 20)
"""The budgets at which every solver is measured on every grid."""
BUDGETS = (2, 3, 5, 7, 10, 15, 20)
MANY = (50, 99)
OWN = {
    "DDIM": "uniform",
    "DDIM, eta 1": "uniform",
    "Heun": "log SNR",
    "Heun, churned": "uniform",
    "midpoint": "log SNR",
    "Adams-Bashforth 2": "uniform",
    "Adams-Bashforth 3": "uniform",
    "2M": "log SNR",
}
"""The grid of each solver at the other budgets: its best one at ten."""
LONG = ("DDIM", "DDIM, eta 1", "Heun", "Heun, churned", "2M")
"""The solvers that are also given many passes."""
ON_MNIST = ("DDIM", "DDIM, eta 1", "Heun", "2M")

Choice = tuple[str, str, int]
TWENTY = range(100, 120)
HEADLINES: list[Choice] = [
    ("2M", "log SNR", 99),
    ("2M", "log SNR", 10),
    ("2M", "log SNR", 5),
    ("Adams-Bashforth 3", "uniform", 10),
    ("Adams-Bashforth 3", "uniform", 5),
    ("DDIM", "uniform", 10),
    ("DDIM", "uniform", 5),
    ("Heun, churned", "log SNR", 20),
]
"""What is measured on twenty more noises, beside DDPM and the students."""


def choices(every_grid: bool = True) -> Iterator[Choice]:
    """Yield solver, grid and budget, of all that is measured on digits."""
    yield "DDIM", "uniform", 1
    for solver, own in OWN.items():
        for budget in BUDGETS + (MANY if solver in LONG else ()):
            many = every_grid and budget in FEW
            for grid in GRIDS if many else (own,):
                yield solver, grid, budget


def network() -> Iterator[Row]:
    """Train the digits' denoiser and keep it."""
    begin = time.process_time()
    protocol.keep(protocol.fit(), "network")
    minutes = (time.process_time() - begin) / 60
    yield Row("network", "training", step=protocol.STEPS, minutes=minutes)


def solved(
    part: str, eps_model: Denoiser, chosen: Iterable[Choice]
) -> Iterator[Row]:
    """Measure solvers on a denoiser of the digits, beside its own flow."""
    ends = {}
    for seed in SEEDS:
        ends[seed] = protocol.flow_end(eps_model, protocol.noise(seed)[0])
        distance = protocol.distance(ends[seed])
        yield Row(part, "flow", seed=seed, distance=distance, error=0.0)
    for solver, grid, budget in chosen:
        for seed, end in ends.items():
            x_0, passes = sampled(
                solver, grid, budget, eps_model, *protocol.noise(seed)
            )
            yield Row(
                part,
                solver,
                grid,
                passes,
                seed,
                distance=protocol.distance(x_0),
                error=protocol.error(x_0, end),
            )


@cache
def trained() -> Denoiser:
    """Return the trained denoiser, for the labels of the test digits."""
    net = protocol.kept(protocol.network(), "network")
    return protocol.clamped(net, digits().test_labels)


def on_digits() -> Iterator[Row]:
    """Measure all solvers on the trained network, beside DDPM and reality."""
    test = digits().test_images
    yield Row("digits", "real", distance=protocol.distance(test))
    for seed in SEEDS:
        x_T, generator = protocol.noise(seed)
        run = ddpm_sample(trained(), x_T, SCHEDULE, generator=generator)
        distance = protocol.distance(last(run))
        yield Row("digits", "DDPM", "uniform", 99, seed, distance=distance)
    yield from solved("digits", trained(), choices())


def on_exact() -> Iterator[Row]:
    """Measure them on the exact denoiser of the training digits."""
    eps_model = protocol.exact(digits().test_labels)
    yield from solved("exact", eps_model, choices(every_grid=False))


def from_the_last_step() -> Iterator[Row]:
    """Measure them from step 100 on, where sigma is 2,029."""
    for solver, grid, budget in choices(every_grid=False):
        for seed in SEEDS if budget in FEW else ():
            x_0, passes = sampled(
                solver, grid, budget, trained(), *protocol.noise(seed), WHOLE
            )
            distance = protocol.distance(x_0)
            yield Row(
                "step 100", solver, grid, passes, seed, distance=distance
            )


def on_mnist() -> Iterator[Row]:
    """Measure some of them on the committed network of 28x28 digits."""
    distance, real = protocol.mnist_distances()
    for seed, images in enumerate(real):
        yield Row("mnist", "real", seed=seed, distance=distance(images))
    y = torch.arange(10).repeat_interleave(10)
    eps_model = mnist_run.denoiser_of(mnist_run.trained(), y)
    for seed in SEEDS:
        x_T, generator = protocol.mnist_noise(seed)
        run = ddpm_sample(eps_model, x_T, SCHEDULE, generator=generator)
        found = distance(protocol.whole(last(run)))
        yield Row("mnist", "DDPM", "uniform", 99, seed, distance=found)
    chosen = [(s, OWN[s], n) for n in FEW for s in ON_MNIST]
    for solver, grid, budget in [*chosen, ("DDIM", "uniform", 99)]:
        for seed in SEEDS:
            x_0, passes = sampled(
                solver, grid, budget, eps_model, *protocol.mnist_noise(seed)
            )
            found = distance(protocol.whole(x_0))
            yield Row("mnist", solver, grid, passes, seed, distance=found)


def on_ring() -> Iterator[Row]:
    """Measure real points of the ring, and DDIM with the students' teacher."""
    task, ring = ring_task(), eight_modes()
    for seed in SEEDS:
        generator = torch.Generator().manual_seed(seed)
        pair = (ring.sample(1000, generator=generator) for _ in range(2))
        yield Row(
            "ring", "real", seed=seed, distance=float(energy_distance(*pair))
        )
    for passes in (1, 2, 4, students.HALVED, SCHEDULE.T):
        sample = students.by_ddim(
            task, task.network, uniform_times(SCHEDULE, passes)
        )
        for seed, distance, error in task.measure(sample):
            yield Row(
                "ring",
                "DDIM",
                "uniform",
                passes,
                seed,
                distance=distance,
                error=error,
            )


digits_task = cache(students.digits_task)
ring_task = cache(students.ring_task)


def taught(task: Callable[[], students.Task], method: str) -> Iterator[Row]:
    """Train students by a method, and keep the last of the digits'."""
    found = list(students.METHODS[method](task()))
    if task is digits_task:
        protocol.keep(found[-1][1], method.replace(", ", "-"))
    yield from (row for row, _ in found)


def headlines() -> Iterator[Row]:
    """Measure what the page compares on twenty other noises."""
    y = digits().test_labels
    for seed in TWENTY:
        x_T, generator = protocol.noise(seed)
        run = ddpm_sample(trained(), x_T, SCHEDULE, generator=generator)
        distance = protocol.distance(last(run))
        yield Row("twenty", "DDPM", "uniform", 99, seed, distance=distance)
        for solver, grid, budget in HEADLINES:
            x_0, passes = sampled(
                solver, grid, budget, trained(), *protocol.noise(seed)
            )
            distance = protocol.distance(x_0)
            yield Row("twenty", solver, grid, passes, seed, distance=distance)
        for method in students.METHODS:
            x_0 = students.in_one_pass(method, y, x_T)
            distance = protocol.distance(x_0)
            yield Row("twenty", method, "", 1, seed, distance=distance)


PARTS: dict[str, Callable[[], Iterator[Row]]] = (
    {
        "network": network,
        "digits": on_digits,
        "exact": on_exact,
        "step 100": from_the_last_step,
        "mnist": on_mnist,
        "ring": on_ring,
    }
    | {
        f"{name}, {method}": partial(taught, task, method)
        for name, task in (("digits", digits_task), ("ring", ring_task))
        for method in students.METHODS
    }
    | {"twenty": headlines}
)


def main(parts: list[str]) -> None:
    """Run the parts; write each one's rows in the place of its old ones."""
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise SystemExit(f"no part {unknown}: they are {', '.join(PARTS)}")
    for part in parts or PARTS:
        begin = time.process_time()
        new = list(PARTS[part]())
        rows = {name: [] for name in PARTS}
        for row in [x for x in read() if x.part != part] + new:
            rows[row.part].append(row)
        write([row for found in rows.values() for row in found])
        minutes = (time.process_time() - begin) / 60
        print(f"{part}: {minutes:.1f} CPU minutes", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
