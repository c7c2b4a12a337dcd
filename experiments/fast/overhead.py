"""What a sampler costs beside the network's passes, ours and diffusers'.

Run: python -m experiments.fast.overhead

Two CPU minutes. It writes overhead.csv: the CPU time of a sampler outside the
network, as a share of that inside, for few pictures and for as many as the
run samples. Both are timed in one run, so other work disturbs both; the
median of several runs counts. The column of diffusers needs that package.
"""

import csv
import importlib
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from diffusion_lite.solvers import (
    adams_bashforth_sample,
    ddim_sample,
    dpm_solver_sample,
    heun_sample,
    uniform_times,
)
from diffusion_lite.training import last
from experiments.fast import protocol
from experiments.fast.protocol import SCHEDULE

TABLE = Path(__file__).with_name("overhead.csv")
ROUNDS = {64: 15, 364: 5}
"""The numbers of pictures, and how often each is timed."""
PASSES = 20
HEUNS = uniform_times(SCHEDULE, PASSES // 2)  # 2 n - 1 passes
TIMES = uniform_times(SCHEDULE, PASSES)
PAIRS: dict[str, tuple[Callable, str, dict, list[int]]] = {
    "DDIM": (ddim_sample, "DDIMScheduler", {"clip_sample": False}, TIMES),
    "Heun": (heun_sample, "HeunDiscreteScheduler", {}, HEUNS),
    "2M": (
        dpm_solver_sample,
        "DPMSolverMultistepScheduler",
        {"euler_at_final": True},
        TIMES,
    ),
    "Adams-Bashforth 3": (
        partial(adams_bashforth_sample, order=3),
        "DEISMultistepScheduler",
        {},
        TIMES,
    ),
}
"""Our sampler, theirs with its settings, and the times of both.

Their DEIS is no rho-AB but a close relation: it stands for the cost only.
"""


def read(path: Path = TABLE) -> dict[tuple[int, str], dict[str, float]]:
    """Return what ours and theirs add, by number of pictures and sampler."""
    with path.open(newline="") as file:
        return {
            (int(line["pictures"]), line["sampler"]): {
                who: float(line[who]) for who in ("ours", "diffusers")
            }
            for line in csv.DictReader(file)
        }


def theirs(name: str, settings: dict, times: list[int]) -> Callable:
    """Return a function that samples by a scheduler of diffusers."""
    diffusers = importlib.import_module("diffusers")  # a test dependency
    scheduler = getattr(diffusers, name)(
        num_train_timesteps=SCHEDULE.T,
        trained_betas=SCHEDULE.beta[1:].tolist(),
        **settings,
    )

    def sample(model: Callable, x: Tensor) -> Tensor:
        if name == "DDIMScheduler" or name.startswith("DEIS"):
            scheduler.set_timesteps(len(times) - 1)
        else:
            scheduler.set_timesteps(timesteps=[t - 1 for t in times[:-1]])
        x = x * scheduler.init_noise_sigma
        for k in scheduler.timesteps:
            x_t = scheduler.scale_model_input(x, k)
            t = torch.full((len(x),), int(k) + 1)
            x = scheduler.step(model(x_t, t), k, x).prev_sample
        return x

    return sample


class Timed:
    """A denoiser that adds up the CPU seconds that it takes."""

    def __init__(self, model: Callable) -> None:
        self.model = model
        self.seconds = 0.0

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Ask the denoiser, and time it."""
        begin = time.process_time()
        eps_hat = self.model(x_t, t)
        self.seconds += time.process_time() - begin
        return eps_hat


def runs(name: str, x: Tensor) -> dict[str, Callable[[Timed], object]]:
    """Return our sampler and theirs, each a function of a denoiser."""
    sample, scheduler, settings, times = PAIRS[name]
    their = theirs(scheduler, settings, times)
    return {
        "ours": lambda model: last(sample(model, x, SCHEDULE, times)),
        "diffusers": lambda model: their(model, x),
    }


def share(run: Callable[[Timed], object], model: Callable) -> float:
    """Return the time of a run outside the network, over that inside."""
    timed = Timed(model)
    begin = time.process_time()
    run(timed)
    total = time.process_time() - begin
    return total / timed.seconds - 1


@torch.no_grad()
def main(path: Path = TABLE) -> None:
    """Time everything in turn; write the table."""
    net = protocol.kept(protocol.network(), "network")
    lines = []
    for n, rounds in ROUNDS.items():
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(n, 1, 8, 8, generator=generator)
        model = partial(net, y=torch.arange(n) % 10)
        for name in PAIRS:
            both = runs(name, x)
            found: dict[str, list[float]] = {who: [] for who in both}
            for who, run in list(both.items()) * rounds:
                found[who].append(share(run, model))
            medians = (statistics.median(found[who]) for who in both)
            lines.append([n, name, *(f"{x:.4f}" for x in medians)])
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["pictures", "sampler", "ours", "diffusers"])
        writer.writerows(lines)


if __name__ == "__main__":
    main()
