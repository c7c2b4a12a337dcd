"""The contest's tables, in Markdown."""

import math
import statistics

from experiments.contest.claims import Claim, claims
from experiments.contest.figures import EVERYONE, FAMILIES
from experiments.contest.shown import build_of, median, values
from experiments.contest.sizes import Size
from experiments.contest.verdicts import (
    HIGHER_IS_BETTER,
    NAMES,
    RATIOS,
    Verdict,
    advantage,
    all_verdicts,
)

HARD = "\N{NO-BREAK SPACE}"
SHORT = {
    ("diffusion", "perceptron"): "diffusion, perceptrons",
    ("diffusion", "convolution"): "diffusion, convolutions",
    ("gan-r1", "perceptron"): "R1, perceptrons",
    ("gan-r1", "convolution"): "R1, convolutions",
}
HEADINGS = {  # of chapter 7's lines, and what a number is multiplied by
    "energy": ("energy distance, thousandths", 1000),
    "frechet": ("Fréchet distance", 1),
    "weights_tv": ("error of the shares, %", 100),
    "modes_lost": ("modes lost", 1),
    "precision": ("precision, %", 100),
    "recall": ("recall, %", 100),
    "nats": ("$-\\log p$ of new points, nats", 1),
    "seconds_block": ("a sample, made in a batch, milliseconds", 1000),
}
LINES = [
    *(("ring", name) for name in ("energy", "weights_tv", "recall", "nats")),
    *(("digits", name) for name in ("frechet", "energy", "precision")),
    *(("digits", name) for name in ("recall", "modes_lost", "seconds_block")),
]
ELSEWHERE = [  # claims that other chapters have measured
    Claim(
        'A diffusion model minimises "a standard convex cross-entropy loss".',
        "chapters 3 and 6: a squared error, convex in the prediction and not "
        "in the weights; its lowest value is the floor, not 0",
        "half true: it is a minimisation, and not a game",
    ),
    Claim(
        "A diffusion model's latent has the size of the picture, unlike in "
        "other families.",
        "chapter 7: the sizes, read from the modules",
        "half true: a GAN's and a VAE's may be smaller, a flow's is as large",
    ),
    Claim(
        "It imitates a simple process, where a GAN searches blindly.",
        "chapter 2: given the data, each step back has a known target; "
        "chapter 6: the discriminator's gradient tells a generator where to "
        "go",
        "half true: a GAN is told too, by a network that is itself learning",
    ),
]


def verdicts_table(rows: list[dict]) -> str:
    """Return the contest's table: a line a question, a column a currency."""
    found: dict[tuple, dict[str, Verdict]] = {}
    for each in all_verdicts(rows):
        line = each.task, each.sides, each.measure
        found.setdefault(line, {})[each.currency] = each
    lines = [
        "| the two sides | measure | equal seconds | equal operations |",
        "| --- | --- | --- | --- |",
    ]
    before = None
    for (task, sides, measure), by in found.items():
        head = ""
        if (task, sides) != before:
            before = task, sides
            head = f"*{NAMES[task]}:* {_pair(task, sides)}"
        cells = [_cell(by.get(c)) for c in ("seconds", "operations")]
        name = NAMES.get(measure, measure)
        lines.append(f"| {' | '.join([head, name, *cells])} |")
    return "\n".join(lines)


def _pair(task: str, sides: tuple) -> str:
    if task == "digits":
        return " against ".join(SHORT[side] for side in sides)
    return "diffusion against R1"


def _cell(verdict: Verdict | None) -> str:
    """Return by how much the first side is better; bold where it stands."""
    if verdict is None:
        return ""
    scale = 100 if verdict.measure in HIGHER_IS_BETTER else 1
    found = [number(scale * x, verdict.measure) for x in advantage(verdict)]
    text = "{} ({} to {})".format(*found).replace(" ", HARD)
    return f"**{text}**" if verdict.winner else text


def number(x: float, measure: str) -> str:
    """Return a ratio with two digits, or a difference with its sign."""
    if math.isinf(x):
        return f"{x}".replace("inf", "∞")
    if measure not in RATIOS:
        return f"{x:+.0f}".replace("-", "\N{MINUS SIGN}") if round(x) else "0"
    return f"{x:.2g}" if x < 10 else f"{x:.0f}"


def claims_table(rows: list[dict]) -> str:
    """Return the claims that are often made, each with its verdict."""
    lines = ["| the claim | what was measured | verdict |", "| --- " * 3 + "|"]
    lines += [
        f"| {each.claim} | {each.measured} | {each.verdict} |"
        for each in [*claims(rows), *ELSEWHERE]
    ]
    return "\n".join(lines)


def sizes_table(
    rows: list[dict], ring: dict[str, Size], digits: dict[str, Size]
) -> str:
    """Return chapter 7's table of latents, passes and parameters."""
    lines = [
        "| | latent, ring | latent, digits | passes | parameters | trained |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| *the data themselves* | 2 | 64 | | | |",
    ]
    lines += [
        f"| {FAMILIES[name]} | {ring[name].latent} | {size.latent} | "
        f"{size.passes} | {size.parameters:,} | "
        f"{median(rows, 'digits', name, 'trained'):,.0f} |"
        for name, size in digits.items()
    ]
    return "\n".join(lines)


def families(rows: list[dict]) -> str:
    """Return chapter 7's table of both tasks: all families and baselines.

    Medians over the seeds; a dash where a method has no such measure.
    """
    lines = [
        " | ".join(["| median", *EVERYONE.values()]) + " |",
        "| --- " + "| ---: " * len(EVERYONE) + "|",
    ]
    for task, measure in LINES:
        title, scale = HEADINGS[measure]
        cells = [
            _median(rows, task, name, measure, scale) for name in EVERYONE
        ]
        lines.append(f"| {task}: {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _median(
    rows: list[dict], task: str, method: str, measure: str, scale: float
) -> str:
    found = values(rows, task, method, measure)
    if None in found or (method, measure) == ("real", "seconds_block"):
        return "–"
    middle = scale * statistics.median(found)
    if measure == "nats":
        return f"{middle:.2f}"
    return f"{middle:.2g}" if middle < 10 else f"{middle:,.0f}"


def blown_up(rows: list[dict], task: str, method: str) -> int:
    """Return how many trainings of a method blew up, in seconds."""
    found = values(rows, task, method, "energy")
    return sum(math.isinf(x) for x in found)


def name_of(task: str, method: str) -> str:
    """Return how a side is called where its build matters."""
    return SHORT[method, build_of(task, method)]
