"""What a sampler costs beside the network's passes, ours and diffusers'.

Run: python -m experiments.fast.overhead

Two CPU minutes. It writes overhead.csv: for each sampler, what share of the
time of as many bare passes it adds, for few pictures and for as many as the
run samples. Each is timed in turn, and the fastest of its times counts. The
column of diffusers needs that package.
"""

import csv
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
ROUNDS = {64: 24, 364: 8}
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
    import diffusers

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


def runs(n: int) -> dict[tuple[str, str], Callable[[], object]]:
    """Return what is timed: bare passes, our samplers and theirs."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 1, 8, 8, generator=generator)
    net = protocol.kept(protocol.network(), "network")
    model = partial(net, y=torch.arange(n) % 10)
    t = torch.full((n,), 50)

    def bare(passes: int) -> None:
        for _ in range(passes):
            model(x, t)

    found: dict[tuple[str, str], Callable[[], object]] = {}
    for name, (sample, scheduler, settings, times) in PAIRS.items():
        passes = 2 * len(times) - 3 if times is HEUNS else len(times) - 1
        their = theirs(scheduler, settings, times)
        found[name, "bare"] = partial(bare, passes)
        found[name, "ours"] = partial(
            lambda sample, times: last(sample(model, x, SCHEDULE, times)),
            sample,
            times,
        )
        found[name, "diffusers"] = partial(their, model, x)
    return found


@torch.no_grad()
def main(path: Path = TABLE) -> None:
    """Time everything in turn; write the table."""
    lines = []
    for n, rounds in ROUNDS.items():
        timed = runs(n)
        best = dict.fromkeys(timed, float("inf"))
        for key, run in list(timed.items()) * rounds:
            begin = time.process_time()
            run()
            best[key] = min(best[key], time.process_time() - begin)
        for name in PAIRS:
            bare, ours, theirs = (
                best[name, who] for who in ("bare", "ours", "diffusers")
            )
            shares = ours / bare - 1, theirs / bare - 1
            lines.append([n, name, *(f"{share:.4f}" for share in shares)])
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["pictures", "sampler", "ours", "diffusers"])
        writer.writerows(lines)


if __name__ == "__main__":
    main()
