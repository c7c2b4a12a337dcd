"""Draw the book's logo and favicon: a ring that becomes noise.

The dots of a ring are carried by the forward process of chapter 1,
x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps, while alpha_bar falls
from left to right; their colour goes from data to noise in the same
proportion. `python tools/artwork.py` rewrites the files in book/_static.
The coordinates are rounded, so that every machine writes the same bytes.

`python tools/artwork.py --strip` draws the trajectories from noise to digits
that open the README, by the committed network of experiments/mnist.
"""

import itertools
import sys
from pathlib import Path

import numpy as np

STATIC = Path(__file__).resolve().parent.parent / "book" / "_static"
DATA, NOISE = (0x2F, 0x7E, 0xC0), (0x8A, 0x8F, 0x98)
DATA_ON_DARK, NOISE_ON_DARK = (0x5F, 0xA6, 0xE0), (0x9A, 0xA1, 0xAA)


def ring(n):
    """n points of a circle of radius sqrt(2): (n, 2), variance one."""
    angle = 2 * np.pi * np.arange(n) / n
    return np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def jump(x_0, alpha_bar, eps):
    """x_t of each point; alpha_bar is one number a point: (n,)."""
    share = alpha_bar[:, None]
    return np.sqrt(share) * x_0 + np.sqrt(1 - share) * eps


def mix(alpha_bar, data, noise):
    """The colour of a point that still holds alpha_bar of its data."""
    rgb = [
        round(alpha_bar * d + (1 - alpha_bar) * n)
        for d, n in zip(data, noise, strict=True)
    ]
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def dots(points, alpha_bar, radius, data, noise):
    """One SVG circle a point."""
    return "\n".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}"'
        f' fill="{mix(share, data, noise)}"/>'
        for (x, y), share in zip(points, alpha_bar, strict=True)
    )


def svg(width, height, body, title):
    """The file: no size of its own, so that the page decides."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img"'
        f' viewBox="0 0 {width} {height}">\n<title>{title}</title>\n'
        f"{body}\n</svg>\n"
    )


def logo(data, noise, n=28, size=116, step=110, scale=26, seed=4):
    """Five rings in a row; the first is data, the last is noise."""
    generator = np.random.default_rng(seed)
    eps = np.clip(generator.standard_normal((n, 2)), -1.6, 1.6)
    body = []
    for k, share in enumerate([1, 0.985, 0.9, 0.6, 0]):
        alpha_bar = np.full(n, share)
        centre = [size / 2 + step * k, size / 2]
        points = centre + scale * jump(ring(n), alpha_bar, eps)
        body.append(dots(points, alpha_bar, 4.2, data, noise))
    return svg(size + 4 * step, size, "\n".join(body), "Diffusion Lite")


def favicon(n=15, size=64, scale=16.5, seed=3):
    """One ring, whole at the left and dissolving at the right."""
    x_0 = ring(n)
    eps = np.random.default_rng(seed).standard_normal((n, 2))
    left_to_right = (x_0[:, 0] / np.sqrt(2) + 1) / 2
    alpha_bar = 1 - 0.2 * left_to_right**3
    points = size / 2 + scale * jump(x_0, alpha_bar, eps)
    points = np.clip(points, 6, size - 6)
    body = dots(points, 1 - left_to_right**2, 5, DATA, NOISE)
    return svg(size, size, body, "Diffusion Lite")


def strip(path, digits_to_draw=(3, 8, 5, 2), columns=12, seed=2):
    """Write trajectories from noise to digits of 28x28 as PNG."""
    import matplotlib.image
    import torch

    from diffusion_lite.sampling import ddpm_sample
    from experiments.mnist.run import SCHEDULE, denoiser_of, trained

    generator = torch.Generator().manual_seed(seed)
    y = torch.tensor(digits_to_draw)
    trajectory = ddpm_sample(
        denoiser_of(trained(), y),
        torch.randn(len(y), 4, 14, 14, generator=generator),
        SCHEDULE,
        generator=generator,
    )
    # Most is decided late: look more often there.
    shown = {
        round(100 * (1 - (1 - i / (columns - 1)) ** 1.6))
        for i in range(columns)
    }
    frames = [x for i, x in enumerate(trajectory) if i in shown]
    tiles = torch.stack([torch.pixel_shuffle(x, 2)[:, 0] for x in frames], 1)
    tiles = tiles / tiles.abs().amax((2, 3), keepdim=True).clamp(min=1)
    ink = (255 * (1 - tiles) / 2).round().byte().numpy()
    matplotlib.image.imsave(path, sheet(ink), metadata={"Software": None})


def sheet(ink, pixel=3, gap=6):
    """Lay pictures out, (rows, columns, 28, 28), each pixel a square."""
    rows, columns, _, size = ink.shape
    side = size * pixel + gap
    sheet = np.zeros((rows * side - gap, columns * side - gap, 4))
    for i, j in itertools.product(range(rows), range(columns)):
        tile = np.kron(ink[i, j], np.ones((pixel, pixel))) / 255
        place = np.s_[
            i * side : (i + 1) * side - gap, j * side : (j + 1) * side - gap
        ]
        sheet[place] = np.dstack([tile, tile, tile, np.ones_like(tile)])
    return sheet


def draw():
    """The text of each file, by its name."""
    return {
        "logo.svg": logo(DATA, NOISE),
        "logo-dark.svg": logo(DATA_ON_DARK, NOISE_ON_DARK),
        "favicon.svg": favicon(),
    }


if __name__ == "__main__":
    if "--strip" in sys.argv:
        strip(STATIC / "strip.png")
        print("drew", STATIC / "strip.png")
        sys.exit()
    for name, text in draw().items():
        (STATIC / name).write_text(text, encoding="utf-8", newline="\n")
        print("drew", STATIC / name)
