"""Carry one cloud of points from the latent to the data, by each family.

Run: python -m experiments.families.carry

A minute on one core. It trains six networks on the ring of eight
modes, for about as long each, and writes where the same 300 latents are on
their way through each: paths.json, which chapter 7's live figure shows.
"""

import json
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from diffusion_lite.data import eight_modes
from diffusion_lite.elbo import denoising_loss
from diffusion_lite.flow import Flow, flow_loss
from diffusion_lite.gan import (
    point_discriminator,
    point_generator,
    train_gan,
)
from diffusion_lite.networks import MLP
from diffusion_lite.sampling import clamp_x_0
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.solvers import ddim_sample, uniform_times
from diffusion_lite.training import last, train
from diffusion_lite.vae import point_vae, vae_loss
from experiments.families.results import MANY, PATHS, UNIT

SCHEDULE = cosine_schedule(100)
KEPT = 5
"""Of the diffusion model's states every fifth is kept."""

STEPS = {"diffusion": 2000, "flow": 1000, "vae": 800, "gan": 1000}
"""About eight seconds each on one core."""


def cloud() -> Tensor:
    """Return the latents of two numbers; those of one are the first column."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(MANY, 2, generator=generator)


def points() -> Tensor:
    """Return what the networks learn from, (20000, 2)."""
    generator = torch.Generator().manual_seed(0)
    return eight_modes().sample(20_000, generator=generator).float()


def fit(
    make: Callable[[], nn.Module], loss: Callable, steps: int, **options
) -> nn.Module:
    """Return a network, trained: the mean of its weights."""
    torch.manual_seed(0)  # the first weights
    source = torch.Generator().manual_seed(0)
    options |= {"steps": steps, "generator": source}
    return last(train(make(), loss, points(), **options)).ema


def diffusion(z: Tensor, steps: int) -> list[Tensor]:
    """Return the cloud on its way along the model's own ODE."""
    loss = partial(denoising_loss, schedule=SCHEDULE)
    model = fit(MLP, loss, steps, batch_size=512, lr=0.03)
    eps_model = clamp_x_0(model, SCHEDULE, -2.5, 2.5)
    times = uniform_times(SCHEDULE, SCHEDULE.T)
    with torch.no_grad():
        return list(ddim_sample(eps_model, z, SCHEDULE, times))[::KEPT]


@torch.no_grad()
def through(model: Flow, z: Tensor) -> list[Tensor]:
    """Return latents, and where each coupling has put them."""
    states = [z]
    for coupling in reversed(model.couplings):
        states.append(coupling.inverse(states[-1]))
    return states


def flow(z: Tensor, steps: int) -> list[Tensor]:
    """Return the cloud after each coupling of a flow."""
    make = partial(Flow, (2,))
    model = fit(make, flow_loss, steps, batch_size=512, lr=0.01)
    return through(model, z)


def vae(z: Tensor, steps: int) -> list[Tensor]:
    """Return latents, and the decoder's means of them."""
    make = partial(point_vae, z.shape[1])
    model = fit(make, vae_loss, steps, batch_size=1024, lr=0.01)
    with torch.no_grad():
        return [z, model.decode(z)]


def gan(z: Tensor, steps: int) -> list[Tensor]:
    """Return latents, and what a generator makes of them; with R1."""
    torch.manual_seed(0)  # the first weights
    game = last(
        train_gan(
            point_generator(z.shape[1]),
            point_discriminator(),
            points(),
            steps=steps,
            batch_size=256,
            lr=1e-3,
            gamma=0.1,
            generator=torch.Generator().manual_seed(0),
        )
    )
    with torch.no_grad():
        return [z, game.ema(z)]


FAMILIES = {  # in what way, numbers of the latent, passes for a sample
    "diffusion": (diffusion, (2,), SCHEDULE.T),
    "flow": (flow, (2,), 1),
    "vae": (vae, (1, 2), 1),
    "gan": (gan, (1, 2), 1),
}


def carried(family: str, latent: int, steps: int) -> dict:
    """Return a family's run, as it is written."""
    carry, _, passes = FAMILIES[family]
    states = carry(cloud()[:, :latent], steps)
    frames = [(x / UNIT).round().int().flatten().tolist() for x in states]
    return {
        "family": family,
        "latent": latent,
        "passes": passes,
        "frames": frames,
    }


def commit() -> str:
    """Return the commit whose package was run."""
    git = ["git", "rev-parse", "--short=12", "HEAD"]
    where = Path(__file__).parent
    return subprocess.check_output(git, cwd=where, text=True).strip()


def main(path: Path = PATHS) -> None:
    """Train all, carry the cloud through each, and write the paths."""
    torch.set_num_threads(1)
    runs = []
    for family, (_, sizes, _) in FAMILIES.items():
        for latent in sizes:
            begin = time.process_time()
            runs.append(carried(family, latent, STEPS[family]))
            seconds = time.process_time() - begin
            print(f"{family}, latent of {latent}: {seconds:.0f} s of CPU")
    lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in runs)
    made = json.dumps({"commit": commit(), "torch": torch.__version__})
    path.write_text(
        f'{{"made": {made},\n"runs": [\n{lines}\n]}}\n', encoding="utf-8"
    )


if __name__ == "__main__":
    main()
