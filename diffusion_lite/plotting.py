"""How it looks: one colour for each thing, on light paper and on dark.

Each function takes arrays and an ``ax``, plots, and returns the ``ax``.
``use_book_style`` makes figures inline SVG whose text and axes take the
page's own colour, so one figure serves light and dark. It needs the extra
``labs``, which has matplotlib and pillow.
"""

import html
import io
import re
import sys
from collections.abc import Sequence
from typing import Any

import torch
from matplotlib import style  # in the extra: labs
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

DATA = "#2f7ec0"
NOISE = "#8a8f98"
MODEL = "#d9662b"
EXACT = "#1a9e77"

INK = "#000001"
"""Stands for the page's text colour: the SVG gets currentColor here."""

STYLE: dict[str, Any] = {
    "figure.facecolor": "none",
    "figure.figsize": (5.6, 2.3),
    "figure.constrained_layout.use": True,
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
    "grid.linewidth": 0.4,
    "mathtext.fontset": "cm",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "savefig.facecolor": "none",
    "svg.fonttype": "path",
    "svg.hashsalt": "diffusion_lite",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


def use_book_style() -> None:
    """Set the style, and in a notebook show figures as inline SVG."""
    style.use(STYLE)
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if shell is not None:
        shell.run_line_magic("matplotlib", "inline")  # sets its own formats
        formatters = shell.display_formatter.formatters
        formatters["text/html"].for_type(Figure, to_svg)
        formatters["image/png"].type_printers.pop(Figure, None)


def describe(figure: Figure, text: str) -> None:
    """Describe the figure in words, for those who cannot see it."""
    figure.set_label(text)


def to_svg(figure: Figure) -> str:
    """Return the figure as inline SVG that takes the page's text colour."""
    words = str(figure.get_label())
    if not words:
        raise ValueError("a figure needs describe(figure, text) first")
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None}, dpi=160)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    # A style sheet and the names of groups would reach beyond the figure.
    for inside in ("<metadata>.*?</metadata>", "<style.*?</style>"):
        svg = re.sub(inside, "", svg, flags=re.DOTALL)
    svg = re.sub('<g id="[^"]*"', "<g", svg)
    label = html.escape(words)
    start = f'<svg role="img" aria-label="{label}" stroke-linejoin="round"'
    return svg.replace("<svg", start, 1)


def bare(ax: Axes) -> Axes:
    """Take the axes' frame and ticks away."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def scatter(points: Tensor, ax: Axes, color: str = DATA) -> Axes:
    """Plot points (N, 2) as a cloud, both axes on one scale."""
    x, y = points.detach().cpu().T
    ax.scatter(x, y, s=3, c=color, alpha=0.5, linewidths=0, rasterized=True)
    ax.set_aspect("equal")
    return ax


def density(x: Tensor, log_prob: Tensor, ax: Axes, color: str = EXACT) -> Axes:
    """Plot a 1-D density, x and log_prob (N,), with the area below it."""
    ax.plot(x, log_prob.exp(), color=color)
    ax.fill_between(x, log_prob.exp(), color=color, alpha=0.2, linewidth=0)
    ax.set_ylim(bottom=0)
    return ax


def pictures(
    images: Tensor, ax: Axes, columns: int, titles: Sequence[str] = ()
) -> Axes:
    """Show pictures (N, C, H, W) in [-1, 1] in rows, with gaps.

    One channel is ink on paper, 1 is black; three are red, green and blue.
    The titles stand above the first row.
    """
    ax.imshow(sheet(images, columns).numpy(), interpolation="nearest")
    width = images.shape[3]
    for i, title in enumerate(titles):
        center = i * (width + _gap(images)) + (width - 1) / 2
        ax.text(center, -1, title, ha="center", va="bottom", fontsize=8)
    return bare(ax)


def sheet(images: Tensor, columns: int) -> Tensor:
    """Return pictures in rows as one, (H, W, 4), its gaps transparent."""
    images = images.detach().cpu().clamp(-1, 1)
    shown = (1 - images) / 2 if images.shape[1] == 1 else (1 + images) / 2
    n, _, height, width = images.shape
    gap, rows = _gap(images), -(-n // columns)
    high, wide = height + gap, width + gap
    paper = torch.zeros(rows * high - gap, columns * wide - gap, 4)
    for i, image in enumerate(shown):
        top, left = i // columns * high, i % columns * wide
        place = paper[top : top + height, left : left + width]
        place[..., :3] = image.movedim(0, 2)
        place[..., 3] = 1
    return paper


def _gap(images: Tensor) -> int:
    return max(1, images.shape[2] // 8)
