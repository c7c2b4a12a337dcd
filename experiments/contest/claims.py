"""The claims about GANs and diffusion, each with what the contest measured."""

import math
import statistics
from dataclasses import dataclass

from scipy import stats

from experiments.contest.figures import GAMES, MODES
from experiments.contest.results import ends
from experiments.contest.shown import build_of, median
from experiments.contest.verdicts import (
    CONVOLVED_GAN,
    GAN,
    NAMES,
    all_verdicts,
)

TASKS = ("ring", "digits")
TELLING = 0.59
"""What twelve pairs of no correlation exceed, either way, in 5 % of cases."""

THEIRS = (GAN, CONVOLVED_GAN)
LOSSES = {  # whose loss, and in which column it stands
    "diffusion": ("diffusion", "loss"),
    "GAN, generator": ("gan", "loss"),
    "GAN, discriminator": ("gan", "discriminator_loss"),
    "GAN with R1, generator": ("gan-r1", "loss"),
    "GAN with R1, discriminator": ("gan-r1", "discriminator_loss"),
}


@dataclass(frozen=True)
class Claim:
    """A claim that is often made, what was measured, and what follows."""

    claim: str
    measured: str
    verdict: str


def claims(rows: list[dict]) -> list[Claim]:
    """Return the claims about GANs and diffusion, and what was measured."""
    return [
        claim_about_losses(rows),
        claim_about_networks(rows),
        claim_about_collapse(rows),
        claim_about_quality(rows),
        claim_about_speed(rows),
    ]


def loss_correlation(
    rows: list[dict], task: str, method: str, column: str = "loss"
) -> float:
    """Return the rank correlation of loss and distance between settings.

    Over the settings of the first round of a search: 1 if the smallest loss
    belongs to the smallest distance, and so on. A loss is the mean over its
    whole training. A setting that blew up comes last by both.
    """
    side = task, method, build_of(task, method)
    tried = [
        row
        for row in rows
        if (row["task"], row["method"], row["build"]) == side
        and row["phase"] == "first"
    ]
    losses, distances = (
        stats.rankdata(
            [math.inf if row[name] is None else row[name] for row in tried]
        )
        for name in (column, "distance")
    )
    return float(stats.spearmanr(losses, distances).statistic)


def claim_about_losses(rows: list[dict]) -> Claim:
    """Say whether one could choose rate and batch by the loss."""
    found = {
        name: [loss_correlation(rows, task, *which) for task in TASKS]
        for name, which in LOSSES.items()
    }
    ours = found.pop("diffusion")
    theirs = [each for pair in found.values() for each in pair]
    telling = [name for name, each in found.items() if min(each) > TELLING]
    if min(ours) > TELLING:
        telling = ["diffusion", *telling]
    text = (
        "over twelve pairs of rate and batch, do the loss (the mean of a "
        "training) and the distance come in one order (1: yes, 0: unrelated, "
        f"-1: reversed)? Diffusion {ours[0]:.2f} (ring) and {ours[1]:.2f} "
        "(digits); the losses of generators and discriminators "
        f"{min(theirs):.2f} to {max(theirs):.2f}"
    )
    return Claim(
        "A GAN's loss does not say how good its samples are, a diffusion "
        "loss does.",
        text.replace(" -", " \N{MINUS SIGN}"),
        f"beyond {TELLING}, which chance seldom exceeds, on both: "
        + (" and ".join(telling) or "none"),
    )


def claim_about_networks(rows: list[dict]) -> Claim:
    """Say whether a GAN trains more than its generator."""
    samples, trains, alone = (
        median(rows, "digits", name, measure)
        for name, measure in (
            ("gan-r1", "parameters"),
            ("gan-r1", "trained"),
            ("diffusion", "trained"),
        )
    )
    return Claim(
        "A GAN needs a second network.",
        f"{trains / samples:.1f} times the generator's parameters are trained "
        f"by the GAN, {alone / samples:.1f} times by the diffusion model",
        "true" if trains > 1.5 * alone else "wrong",
    )


def modes_lost(rows: list[dict], method: str) -> dict[str, list[int]]:
    """Return how many modes each training lost, by task: all of them."""
    found: dict[str, list[int]] = {}
    for task in (*MODES, "digits"):
        found[task] = [
            row["modes_lost"]
            for row in rows
            if row["phase"] == "contest"
            and (row["task"], row["method"]) == (task, method)
            and row["step"] == row["steps"]
        ]
    return {task: each for task, each in found.items() if each}


def claim_about_collapse(rows: list[dict]) -> Claim:
    """Say whether GANs lose modes and diffusion models do not."""
    names = {
        method: GAMES[method] for method in ("diffusion", "gan", "gan-r1")
    }
    words = {}
    for method, name in names.items():
        words[name] = ", ".join(
            f"on {NAMES[task]} {sum(map(bool, each))} of "
            f"{len(each)} ({max(each)} at most)"
            for task, each in modes_lost(rows, method).items()
            if max(each)
        )
    who = [name for name, each in words.items() if each]
    never = [name for name, each in words.items() if not each]
    return Claim(
        "GANs lose modes, diffusion models never do.",
        "trainings that lost modes, and how many: "
        + "; ".join(
            f"{name}: {each or 'none'}" for name, each in words.items()
        ),
        "in these trainings lost by "
        + (" and ".join(who) or "nobody")
        + (f", never by {' and '.join(never)}" if who and never else ""),
    )


def claim_about_quality(rows: list[dict]) -> Claim:
    """Say whether the diffusion model has better samples than the GAN."""
    asked = [
        each
        for each in all_verdicts(rows)
        if each.measure == ("frechet" if each.task == "digits" else "energy")
        and {side[0] for side in each.sides} == {"diffusion", "gan-r1"}
    ]
    won = [each.winner[0] if each.winner else None for each in asked]
    paid = {each.currency for each in asked if each.winner in THEIRS}
    where = f" (at equal {paid.pop()})" if len(paid) == 1 else ""
    return Claim(
        "Diffusion models have the better samples.",
        f"of the {len(asked)} comparisons asked with the GAN with R1, over "
        "data, builds and currencies, the diffusion model wins "
        f"{won.count('diffusion')}, "
        f"loses {won.count('gan-r1')}{where} and leaves {won.count(None)} "
        "open",
        "it depends on data, build and budget"
        if len({*won} - {None}) == 2
        else "as often said",
    )


def claim_about_speed(rows: list[dict]) -> Claim:
    """Say how much longer a sample of the diffusion model takes."""
    times = {
        build: times_as_slow(rows, build)
        for build in ("perceptron", "convolution")
    }
    passes = median(rows, "digits", "diffusion", "passes")
    slower, _ = times["perceptron"]
    return Claim(
        "A diffusion model samples slowly.",
        f"a digit takes {passes:.0f} passes, a GAN's one; many at once, "
        + ", ".join(
            f"of {build}s {seconds:.0f} times the seconds and {more:.0f} "
            "times the operations"
            for build, (seconds, more) in times.items()
        ),
        "true, before chapter 10" if slower > 10 else "wrong",
    )


def times_as_slow(rows: list[dict], build: str) -> tuple[float, float]:
    """Return how many times R1's seconds and operations a digit takes."""
    ours, theirs = (
        ends(rows, "digits", method, build, "seconds").values()
        for method in ("diffusion", "gan-r1")
    )
    seconds, operations = (
        statistics.median(row[name] for row in ours)
        / statistics.median(row[name] for row in theirs)
        for name in ("seconds_block", "operations_sample")
    )
    return seconds, operations
