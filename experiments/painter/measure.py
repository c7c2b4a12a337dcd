"""Measure the painter: does it paint what it is told?

Run: python -m experiments.painter.measure

A quarter of an hour on one core. It writes results.csv. Each measure stands
beside the same measure of real pictures.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffusion_lite.metrics import frechet_distance, nearest
from experiments.painter.classifier import load_classifier, tags_seen
from experiments.painter.paint import load_painter, paint
from experiments.painter.scenes import (
    TAGS,
    Scenes,
    is_held_out,
    sample_scenes,
)
from experiments.painter.train import PICTURES

TABLE = Path(__file__).with_name("results.csv")
N = 600
WEIGHTS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
USUAL = 3.0


class Row(NamedTuple):
    """A measure of a set of pictures, and a 95 % interval where there is one.

    pictures: "real", or captions of "seen" or of "held out" combinations.
    """

    measure: str
    pictures: str
    tag: str = ""
    guidance_weight: float | None = None
    passes: int | None = None
    value: float = 0.0
    half_width: float | None = None


FORMS = (str, str, str, float, int, float, float)


def read(path: Path = TABLE) -> list[Row]:
    """Return the committed table."""
    with path.open(newline="") as file:
        lines = list(csv.reader(file))[1:]
    return [
        Row(
            *(
                form(cell) if cell or form is str else None
                for form, cell in zip(FORMS, line, strict=True)
            )
        )
        for line in lines
    ]


def write(rows: Iterable[Row], path: Path = TABLE) -> None:
    """Write a table, numbers to four digits."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        for row in rows:
            writer.writerow(
                f"{x:.4g}" if isinstance(x, float) else x for x in row
            )


def share(which: Tensor, of: Tensor) -> tuple[float, float]:
    """Return a share of tags, and half its 95 % interval.

    The interval treats a picture's tags as one: it resamples pictures.
    Shapes: which and of (B, tags), of 0 and 1; which only where ``of`` is.
    """
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(of), (1000, len(of)), generator=generator)
    hits, all_ = which.sum(1).double(), of.sum(1).double()
    found = hits[rows].sum(1) / all_[rows].sum(1)
    return float(hits.sum() / all_.sum()), 1.96 * float(found.std())


def obedience(seen: Tensor, y: Tensor) -> Iterator[tuple[str, float, float]]:
    """Yield what share of what is asked and forbidden is seen."""
    asked, denied = (y > 0).float(), (y < 0).float()
    yield "asked", *share(seen * asked, asked)
    every = ((seen * asked).sum(1) == asked.sum(1)).float()[:, None]
    yield "all asked", *share(every, torch.ones_like(every))
    if denied.any():
        yield "forbidden", *share(seen * denied, denied)


def of_five(shown: Tensor, generator: torch.Generator) -> Tensor:
    """Return captions that say five of the tags, and deny two others."""
    y = torch.zeros_like(shown)
    for row, there in zip(y, shown, strict=True):
        for value, count, which in ((1, 5, there > 0), (-1, 2, there == 0)):
            (tags,) = which.nonzero(as_tuple=True)
            order = torch.randperm(len(tags), generator=generator)
            row[tags[order[:count]]] = value
    return y


def drawn(seed: int, n: int, held_out: bool) -> Scenes:
    """Return real pictures of seen, or of held-out, combinations."""
    return sample_scenes(
        n,
        generator=torch.Generator().manual_seed(seed),
        keep=lambda tags: is_held_out(tags) == held_out,
    )


def obeyed(painter: nn.Module, classifier: nn.Module) -> Iterator[Row]:
    """Yield shares of tags, over w, passes, and combinations held out."""
    generator = torch.Generator().manual_seed(5)
    captions, real = {}, {}
    for name, seed in (("seen", 20), ("held out", 21)):
        scenes = drawn(seed, N, name == "held out")
        full = scenes.shown.sum(1) >= 5
        captions[name] = of_five(scenes.shown[full], generator)
        real[name] = tags_seen(classifier, scenes.pictures[full])
        for measure, value, half in obedience(real[name], captions[name]):
            yield Row(measure, f"real, {name}", "", None, None, value, half)
    settings = [("seen", w, 20) for w in WEIGHTS]
    settings += [("seen", USUAL, n) for n in (10, 50, 100)]
    settings += [("held out", USUAL, 20)]
    for name, w, passes in settings:
        y = captions[name]
        pictures = paint(
            painter,
            y,
            generator=torch.Generator().manual_seed(6),
            guidance_weight=w,
            passes=passes,
        )
        seen = tags_seen(classifier, pictures)
        for measure, value, half in obedience(seen, y):
            yield Row(measure, name, "", w, passes, value, half)
        if (name, w, passes) == ("seen", USUAL, 20):
            for tag, hit, ask in zip(TAGS, seen.T, (y > 0).T, strict=True):
                one = ask.float()[:, None]
                value, half = share(hit[:, None] * one, one)
                yield Row("asked", name, tag, w, passes, value, half)


def distances(painter: nn.Module, classifier: nn.Module) -> Iterator[Row]:
    """Yield distances to real pictures, over w and passes, and the floor."""
    features = classifier[:-1]  # type: ignore[index]
    data, other = drawn(30, 2000, False), drawn(31, 2000, False)
    to = features(data.pictures)
    floor = float(frechet_distance(features(other.pictures), to))
    yield Row("frechet", "real, seen", "", None, None, floor)
    settings = [(w, 20) for w in WEIGHTS] + [(1.0, n) for n in (10, 100)]
    for w, passes in settings:
        pictures = paint(
            painter,
            other.shown,
            generator=torch.Generator().manual_seed(7),
            guidance_weight=w,
            passes=passes,
        )
        value = float(frechet_distance(features(pictures), to))
        yield Row("frechet", "seen", "", w, passes, value)
        if (w, passes) == (1.0, 20):
            yield from copies(pictures, other.pictures)


def copies(painted: Tensor, real: Tensor) -> Iterator[Row]:
    """Yield how near the nearest training picture is, to both."""
    generator = torch.Generator().manual_seed(1)
    trained = sample_scenes(
        PICTURES, generator=generator, keep=lambda tags: not is_held_out(tags)
    ).pictures
    for name, pictures in (("real, seen", real), ("seen", painted)):
        near = torch.cat([nearest(x, trained)[0] for x in pictures.split(200)])
        yield Row("nearest", name, "", None, None, float(near.mean()))


def main() -> None:
    """Measure, and write the table."""
    painter, classifier = load_painter(), load_classifier()
    rows: list[Row] = []
    for part in (obeyed, distances):
        for row in part(painter, classifier):
            print(*row, flush=True)
            rows.append(row)
    write(rows)


if __name__ == "__main__":
    main()
