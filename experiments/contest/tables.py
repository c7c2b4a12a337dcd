"""The tables of chapters 6 and 7, in Markdown."""

from experiments.contest.claims import Claim, claims
from experiments.contest.figures import EVERYONE, FAMILIES, GAMES, mean
from experiments.contest.results import (
    compare,
    finished,
    markdown_table,
    trainings,
)
from experiments.contest.sizes import Size

COMMON = ("weights_tv", "modes_lost", "precision", "recall")
TITLES = {
    "energy": "Energy distance",
    "frechet": "Fréchet distance",
    "weights_tv": "Error of the shares",
    "precision": "Precision",
    "recall": "Recall",
}
ELSEWHERE = [  # claims that other chapters have measured
    Claim(
        'A diffusion model minimises "a standard convex cross-entropy loss".',
        "here and in chapter 3: a squared error, convex in the prediction "
        "and not in the weights; its lowest value is the floor, not 0",
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
        "chapter 2: given the data, each step back has a known target; here: "
        "the discriminator's gradient tells a generator where to go",
        "half true: a GAN is told too, by a network that is itself learning",
    ),
]


def games(rows: list[dict], task: str) -> str:
    """Return chapter 6's table of a task: diffusion, GANs and real data."""
    first = {"ring": ("energy",), "digits": ("frechet", "energy")}[task]
    measures = (*first, *COMMON, "seconds_one", "seconds_thousand")
    heading = {
        "ring": "**The ring,** ten seeds: mean and 95 % interval.",
        "digits": "**The digits,** ten seeds.",
    }[task]
    return f"{heading}\n\n{markdown_table(rows, task, GAMES, measures)}"


def verdicts(rows: list[dict], task: str) -> str:
    """Return a list: diffusion against the GAN with R1, by each measure."""
    measures = [name for name in TITLES if (task, name) != ("ring", "frechet")]
    return "\n".join(
        "- "
        + compare(rows, task, measure, "diffusion", "gan-r1").sentence(
            TITLES[measure]
        )
        for measure in measures
    )


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
        f"{mean(rows, 'digits', name, 'trained'):,.0f} |"
        for name, size in digits.items()
    ]
    return "\n".join(lines)


def families(rows: list[dict], task: str) -> str:
    """Return chapter 7's table of a task: all families and baselines."""
    first = {"ring": ("energy", "nats"), "digits": ("frechet", "energy")}[task]
    measures = (*first, *COMMON, "seconds", "seconds_thousand")
    heading = {
        "ring": "**The ring.** Mean and 95 % interval over ten seeds; the "
        "diffusion model's and the VAE's $-\\log p$ are bounds.",
        "digits": "**The digits.** Mean and 95 % interval over ten seeds"
        + (
            f"; {count} of the VAE's diverged."
            if (count := diverged(rows, "digits", "vae"))
            else "."
        ),
    }[task]
    return f"{heading}\n\n{markdown_table(rows, task, EVERYONE, measures)}"


def diverged(rows: list[dict], task: str, method: str) -> int:
    """Return how many of a method's trainings did not come to their end."""
    every, whole = (of(rows, task, method) for of in (trainings, finished))
    return len(every) - len(whole)
