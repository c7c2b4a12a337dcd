"""Train the painter: draw pictures, learn, keep the weights.

Run: python -m experiments.painter.train

It can be stopped, and goes on where it was; every thousand steps it writes
progress.png, eight pictures of each of six captions.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from diffusion_lite.checkpoint import long_run
from diffusion_lite.forward import q_sample
from diffusion_lite.parameterization import v_from_x_0_eps
from diffusion_lite.schedules import Schedule
from diffusion_lite.training import TrainingState
from experiments.painter.network import Painter
from experiments.painter.paint import SCHEDULE, paint, said, save_sheet
from experiments.painter.scenes import TAGS, is_held_out, sample_scenes

FOLDER = Path(__file__).parent
PICTURES = 50_000
STEPS = 40_000
CAPTIONS = (
    "day meadow house left sun",
    "night sea lighthouse moon stars",
    "sunset snow snowman mountains",
    "day meadow windmill rainbow flowers",
    "day sea boat right clouds",
    "autumn meadow tree day birds",
)
UNSAID = 0.1
"""The share of pictures that come without a caption, for guidance."""


def sample_captions(shown: Tensor, generator: torch.Generator) -> Tensor:
    """Return what is said of pictures: 1 there, -1 not there, 0 unsaid.

    A random share of what is there is said; of four in ten pictures a few
    tags that are not there are denied; of one in ten nothing is said.
    Shapes: shown (B, tags) of 0 and 1 -> (B, tags).
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator).to(shown)

    n, tags = shown.shape
    said = uniform(n, tags) < uniform(n, 1)
    denied = uniform(n, tags) < 0.15 * (uniform(n, 1) < 0.4)
    y = shown * said - (1 - shown) * denied
    return y * (uniform(n, 1) > UNSAID)


def sample_times(n: int, generator: torch.Generator) -> Tensor:
    """Return steps (n,), those in the middle more often.

    T times the logistic function of a sample of N(0.5, 1.2^2): at the first
    steps there is little to guess, and at the last ones nothing can be.
    Source: Esser et al. 2024, section 3.1, of flows.
    """
    z = torch.randn(n, generator=generator)
    share = torch.sigmoid(0.5 + 1.2 * z)
    return (SCHEDULE.T * share).ceil().long().clamp(1, SCHEDULE.T)


def caption_loss(
    model: nn.Module,
    x_0: Tensor,
    shown: Tensor,
    *,
    generator: torch.Generator,
    schedule: Schedule = SCHEDULE,
) -> Tensor:
    """Return the mean squared error of v, at random steps and captions."""
    y = sample_captions(shown, generator)
    t = sample_times(len(x_0), generator).to(x_0.device)
    eps = torch.randn(x_0.shape, generator=generator).to(x_0)
    x_t = q_sample(x_0, t, eps, schedule)
    v = v_from_x_0_eps(x_0, t, eps, schedule)
    return (model(x_t, t, y) - v).square().mean()


def fit(
    checkpoint: Path, steps: int = STEPS, pictures: int = PICTURES
) -> Iterator[TrainingState]:
    """Train, or go on training; yield the state after each step."""
    data = sample_scenes(
        pictures,
        generator=torch.Generator().manual_seed(1),
        keep=lambda tags: not is_held_out(tags),
    )
    torch.manual_seed(0)  # the first weights
    return long_run(
        checkpoint,
        Painter(len(TAGS)),
        caption_loss,
        tuple(data),
        steps=steps,
        batch_size=32,
        lr=2e-3,
        generator=torch.Generator().manual_seed(0),
    )


def progress(state: TrainingState, path: Path) -> None:
    """Paint each caption of CAPTIONS eight times."""
    y = torch.stack([said(words) for words in CAPTIONS])
    pictures = paint(
        state.ema,
        y.repeat_interleave(8, 0),
        generator=torch.Generator().manual_seed(0),
    )
    save_sheet(pictures, path)


def main(folder: Path = FOLDER) -> None:
    """Train, showing how far it is; write the mean weights in halves."""
    print(f"drawing {PICTURES:,} pictures", flush=True)
    total, begin = 0.0, time.process_time()
    for state in fit(folder / "checkpoint.safetensors"):
        total += state.loss or 0.0
        if state.step % 200 == 0:
            minutes = (time.process_time() - begin) / 60
            loss, total = total / 200, 0.0
            print(f"{state.step} {loss:.4f} {minutes:.1f} min", flush=True)
        if state.step % 1000 == 0:
            progress(state, folder / "progress.png")
    weights = state.ema.state_dict()
    halves = {name: x.half().contiguous() for name, x in weights.items()}
    save_file(halves, folder / "weights.safetensors")


if __name__ == "__main__":
    main()
