"""The still figure of chapter 7's live one."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from diffusion_lite import plotting
from diffusion_lite.data import eight_modes
from diffusion_lite.metrics import mode_weights
from experiments.families.results import UNIT

NAMES = {
    "diffusion": "diffusion",
    "flow": "flow",
    "vae": "VAE",
    "gan": "GAN with R1",
}
ORDER = (
    ("diffusion", 2),
    ("vae", 2),
    ("gan", 2),
    ("flow", 2),
    ("vae", 1),
    ("gan", 1),
)
"""From the left, and from the top."""

AT, MARKED = (0.5, -0.6), 30
"""Where the mark of the live figure is at the start, and of how many."""


def still(paths: Sequence[dict]) -> Figure:
    """Draw latents and data of each run, marked points joined by lines."""
    runs = {(run["family"], run["latent"]): run for run in paths}
    figure, axes = plt.subplots(2, 3, figsize=(5.6, 3.4))
    words = []
    for ax, kind in zip(axes.flat, ORDER, strict=True):
        modes = _panel(ax, runs[kind])
        name = f"{NAMES[kind[0]]}, latent of {kind[1]}"
        ax.set_title(name, fontsize=8)
        ends = "1 mode" if modes == 1 else f"{modes} modes"
        shape = "a curve" if kind[1] == 1 else "a cloud"
        words.append(f"{name}: {shape}, the marked points end in {ends}")
    plotting.describe(
        figure,
        "Six panels, each with latents in grey, round the middle or on a "
        f"line, and a ring of points in orange. {MARKED} neighbouring "
        "latents are marked by circles, and joined by lines to the dots "
        "where they end. " + "; ".join(words),
    )
    return figure


def ends(run: dict) -> tuple[Tensor, Tensor]:
    """Return a run's latents, (N, 2), and its data, (N, 2)."""
    latent, data = (
        UNIT * torch.tensor(frame)
        for frame in (run["frames"][0], run["frames"][-1])
    )
    if run["latent"] == 1:
        latent = torch.stack([latent, torch.zeros_like(latent)], dim=1)
    return latent.reshape(-1, 2), data.reshape(-1, 2)


def marked(run: dict) -> Tensor:
    """Return which points are the mark's nearest in the latent, (MARKED,)."""
    at = torch.tensor(AT)
    if run["latent"] == 1:
        at[1] = 0.0
    far = (ends(run)[0] - at).square().sum(1)
    return far.argsort()[:MARKED]


def modes_of_marked(run: dict) -> int:
    """Return in how many modes the marked points end."""
    x = ends(run)[1][marked(run)].double()
    return int((mode_weights(x, eight_modes()) > 0).sum())


def _panel(ax: Axes, run: dict) -> int:
    """Draw a run; return in how many modes its marked points end."""
    latent, data = ends(run)
    plotting.bare(ax).set(xlim=(-3.4, 3.4), ylim=(-3, 3))
    plotting.scatter(latent, ax, plotting.NOISE)
    plotting.scatter(data, ax, plotting.MODEL)
    which = marked(run)
    a, b = latent[which], data[which]
    lines = torch.stack([a, b]).unbind(2)
    ax.plot(*lines, color=plotting.INK, linewidth=0.3, alpha=0.5)
    style = {"s": 4, "edgecolors": plotting.INK, "zorder": 3}
    ax.scatter(*a.T, facecolors="none", linewidths=0.4, **style)
    ax.scatter(*b.T, facecolors=plotting.INK, linewidths=0, **style)
    return modes_of_marked(run)
