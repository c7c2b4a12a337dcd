"""Paint: tags in, pictures out."""

from functools import partial
from pathlib import Path

import matplotlib.image
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from diffusion_lite.guidance import guided
from diffusion_lite.networks import VPrediction
from diffusion_lite.sampling import clamp_x_0
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.solvers import dpm_solver_sample, uniform_times
from diffusion_lite.training import last
from diffusion_lite.types import Denoiser
from experiments.painter.network import Painter
from experiments.painter.scenes import TAGS

FOLDER = Path(__file__).parent
SCHEDULE = cosine_schedule(1000)


def load_painter(path: Path = FOLDER / "weights.safetensors") -> Painter:
    """Return the trained network."""
    painter = Painter(len(TAGS)).requires_grad_(False).eval()
    painter.load_state_dict(load_file(path))
    return painter


def said(wanted: str, unwanted: str = "") -> Tensor:
    """Return tags in words, as the network is told them: (tags,)."""
    y = torch.zeros(len(TAGS))
    y[[TAGS.index(tag) for tag in wanted.split()]] = 1
    y[[TAGS.index(tag) for tag in unwanted.split()]] = -1
    return y


def painting(
    painter: nn.Module, y: Tensor, guidance_weight: float
) -> Denoiser:
    """Return the guided denoiser of captions y (B, tags)."""
    network = VPrediction(painter, SCHEDULE)
    wanted = partial(network, y=y)
    unsaid = partial(network, y=torch.zeros_like(y))
    eps_model = guided(wanted, unsaid, guidance_weight)
    return clamp_x_0(eps_model, SCHEDULE, low=-1, high=1)


@torch.no_grad()
def paint(
    painter: nn.Module,
    y: Tensor,
    *,
    generator: torch.Generator,
    guidance_weight: float = 3.0,
    passes: int = 20,
) -> Tensor:
    """Return a picture of each caption in y (B, tags): (B, 3, 32, 32)."""
    eps_model = painting(painter, y, guidance_weight)
    x_T = torch.randn(len(y), 3, 32, 32, generator=generator)
    times = uniform_times(SCHEDULE, passes)
    return last(dpm_solver_sample(eps_model, x_T, SCHEDULE, times)).clamp(
        -1, 1
    )


def save_sheet(pictures: Tensor, path: Path, columns: int = 8) -> None:
    """Write pictures (B, 3, 32, 32) in rows, each four times as large."""
    lines = [torch.cat([*row], 2) for row in pictures.split(columns)]
    sheet = torch.cat(lines, 1).permute(1, 2, 0)
    sheet = (sheet + 1).mul(127.5).round().clamp(0, 255).byte()
    large = sheet.repeat_interleave(4, 0).repeat_interleave(4, 1)
    matplotlib.image.imsave(path, large.numpy())
