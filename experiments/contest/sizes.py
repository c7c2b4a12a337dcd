"""How large the networks of the contest are, read from the modules."""

import math
from dataclasses import dataclass

from torch import nn

from diffusion_lite.flow import Flow
from diffusion_lite.gan import point_generator
from diffusion_lite.networks import MLP, UNet
from diffusion_lite.vae import picture_vae, point_vae
from experiments.contest.networks import picture_generator
from experiments.contest.results import trainings


@dataclass(frozen=True)
class Size:
    """A family on a task: what is sampled first, and what it then costs."""

    latent: int  # numbers that are sampled first
    passes: int  # of the network, for one sample
    parameters: int  # of the network that samples


def setting(rows: list[dict], task: str, method: str, name: str) -> int:
    """Return a setting with which a method was in the contest."""
    return trainings(rows, task, method)[0][0]["config"][name]


def sizes(rows: list[dict], task: str) -> dict[str, Size]:
    """Return each family's Size on a task."""
    ring = task == "ring"
    shape = (2,) if ring else (1, 8, 8)
    entries = math.prod(shape)
    noise_dim = setting(rows, task, "gan-r1", "noise_dim")
    latent = setting(rows, task, "vae", "latent_dim")
    generator = (point_generator if ring else picture_generator)(noise_dim)
    decoder = (point_vae if ring else picture_vae)(latent).decoder
    layers, width = (
        setting(rows, task, "flow", name) for name in ("layers", "width")
    )
    steps = setting(rows, task, "diffusion", "T")
    denoiser = MLP() if ring else UNet(width=24)
    return {
        "diffusion": Size(entries, steps, parameters(denoiser)),
        "gan-r1": Size(generator.noise_dim, 1, parameters(generator)),
        "vae": Size(latent, 1, parameters(decoder)),
        "flow": Size(entries, 1, parameters(Flow(shape, layers, width))),
    }


def parameters(model: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(p.numel() for p in model.parameters())
