"""The claims about GANs and diffusion, each with what the contest measured."""

import math
import statistics
from dataclasses import dataclass

from scipy import stats

from experiments.crossed.figures import GAMES, MODES
from experiments.crossed.results import ends
from experiments.crossed.shown import build_of, median
from experiments.crossed.verdicts import Verdict, all_verdicts

TASKS = ("ring", "digits")
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
    """Say whether one could choose the settings by the loss."""
    found = {
        name: [loss_correlation(rows, task, *which) for task in TASKS]
        for name, which in LOSSES.items()
    }
    telling = [name for name, each in found.items() if min(each) > 0.5]
    return Claim(
        "A GAN's loss does not say how good its samples are, a diffusion "
        "loss does.",
        "could one choose the settings by the loss? Its rank correlation "
        "with the distance between twelve settings, on ring and digits: "
        + "; ".join(
            f"{name} {each[0]:.2f} and {each[1]:.2f}"
            for name, each in found.items()
        ),
        "above 0.5 on both: " + (" and ".join(telling) or "none"),
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


def modes_lost(rows: list[dict], method: str) -> dict[str, float]:
    """Return the share of the modes that a method lost, by task."""
    found = {}
    for task, count in (*MODES.items(), ("digits", 10)):
        if task.startswith("grid") and method == "gan":
            continue
        currency = "operations" if task.startswith("grid") else "seconds"
        each = ends(rows, task, method, build_of(task, method), currency)
        lost = [row["modes_lost"] for row in each.values()]
        found[task] = statistics.mean(lost) / count
    return found


def claim_about_collapse(rows: list[dict]) -> Claim:
    """Say whether GANs lose modes and diffusion models do not."""
    names = ("diffusion", "gan", "gan-r1")
    lost = {name: modes_lost(rows, name) for name in names}
    words = "; ".join(
        f"{GAMES[name]} "
        + ", ".join(
            f"{100 * share:.2g} % ({task})" for task, share in by.items()
        )
        for name, by in lost.items()
    )
    who = [GAMES[name] for name in names if max(lost[name].values()) > 0]
    never = [GAMES[name] for name in names if GAMES[name] not in who]
    return Claim(
        "GANs lose modes, diffusion models never do.",
        f"modes lost, on the mean: {words}",
        "lost by "
        + (" and ".join(who) or "nobody")
        + (f", never by {' and '.join(never)}" if who and never else ""),
    )


def better_of_each(rows: list[dict], currency: str = "seconds") -> Verdict:
    """Return the verdict on the digits between the better builds."""
    sides = ("diffusion", "convolution"), ("gan-r1", "perceptron")
    return next(
        each
        for each in all_verdicts(rows)
        if (each.task, each.measure, each.currency, each.sides)
        == ("digits", "frechet", currency, sides)
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
    return Claim(
        "Diffusion models have the better samples.",
        f"of {len(asked)} comparisons with the GAN with R1, over data, builds "
        f"and currencies, the diffusion model wins {won.count('diffusion')} "
        f"and loses {won.count('gan-r1')}",
        "it depends on data and build"
        if len({*won} - {None}) == 2
        else "as often said",
    )


def claim_about_speed(rows: list[dict]) -> Claim:
    """Say how much longer a sample of the diffusion model takes."""
    slower, more = (
        median(rows, "digits", "diffusion", measure)
        / median(rows, "digits", "gan-r1", measure)
        for measure in ("seconds_block", "operations_sample")
    )
    return Claim(
        "A diffusion model samples slowly.",
        f"a digit takes {slower:,.0f} times as long as the GAN's, and "
        f"{more:,.0f} times the operations",
        "true, before chapter 9" if slower > 10 else "wrong",
    )
