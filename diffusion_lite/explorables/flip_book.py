"""A sampler's pictures as a small film, in a page with no Python behind it."""

import base64
import html
import io
from pathlib import Path
from string import Template

import torch
from IPython.display import HTML
from PIL import Image
from torch import Tensor

from diffusion_lite import plotting

PAGE = Template(Path(__file__).with_suffix(".html").read_text("utf-8"))


def flip_book(trajectory: Tensor, columns: int, text: str) -> HTML:
    """Return pictures that change, with a slider over t and a button.

    It needs no kernel: all frames are in one picture. ``trajectory`` is
    a sampler's, from t = F - 1 to 0: (F, N, C, H, W) in [-1, 1]; ``text``
    describes what is seen.
    """
    sheets = torch.stack(
        [plotting.sheet(images, columns) for images in trajectory]
    )
    frames, height, width, _ = sheets.shape
    levels = (255 * sheets.flatten(0, 1)).round().byte().numpy()
    file = io.BytesIO()
    Image.fromarray(levels, "RGBA").save(file, "png")
    data = base64.b64encode(file.getvalue()).decode()
    return HTML(
        PAGE.substitute(
            label=html.escape(text),
            shape=f"{width} / {height}",
            sprite=f"data:image/png;base64,{data}",
            frames=frames,
            last=frames - 1,
        )
    )
