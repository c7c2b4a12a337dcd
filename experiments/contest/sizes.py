"""How large the networks of the contest are, read from the modules."""

import math
from dataclasses import dataclass

from torch import nn

from diffusion_lite.flow import Flow
from diffusion_lite.vae import picture_vae, point_vae
from experiments.contest import networks
from experiments.contest.results import ends
from experiments.contest.shown import build_of


@dataclass(frozen=True)
class Size:
    """A family on a task: what is sampled first, and what it then costs."""

    latent: int  # numbers that are sampled first
    passes: int  # of the network, for one sample
    parameters: int  # of the network that samples


def setting(rows: list[dict], task: str, method: str, name: str) -> int:
    """Return a setting with which a method was in the contest."""
    found = ends(rows, task, method, build_of(task, method), "seconds")
    return next(iter(found.values()))["config"][name]


def sizes(rows: list[dict], task: str) -> dict[str, Size]:
    """Return each family's Size on a task."""
    picture = task == "digits"
    shape = (1, 8, 8) if picture else (2,)
    entries = math.prod(shape)
    builds = {name: build_of(task, name) for name in ("diffusion", "gan-r1")}
    noise_dim = setting(rows, task, "gan-r1", "noise_dim")
    latent = setting(rows, task, "vae", "latent_dim")
    generator = networks.generator(
        builds["gan-r1"], noise_dim, picture=picture
    )
    decoder = (picture_vae if picture else point_vae)(latent).decoder
    layers, width = (
        setting(rows, task, "flow", name) for name in ("layers", "width")
    )
    steps = setting(rows, task, "diffusion", "T")
    denoiser = networks.denoiser(builds["diffusion"], picture=picture)
    return {
        "diffusion": Size(entries, steps, parameters(denoiser)),
        "gan-r1": Size(noise_dim, 1, parameters(generator)),
        "vae": Size(latent, 1, parameters(decoder)),
        "flow": Size(entries, 1, parameters(Flow(shape, layers, width))),
    }


def parameters(model: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(p.numel() for p in model.parameters())
