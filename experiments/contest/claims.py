"""The claims about GANs and diffusion, each with what the contest measured."""

from dataclasses import dataclass

from experiments.contest.results import (
    NAMES,
    clock_correlation,
    compare,
    mean_interval,
    rank_correlation,
    values,
)


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


def claim_about_losses(rows: list[dict]) -> Claim:
    """Say whether a loss predicts the quality better than a clock does."""
    found, more, less = [], [], []
    for name in ("diffusion", "gan", "gan-r1"):
        loss, clock = (
            [of(rows, task, name) for task in ("ring", "digits")]
            for of in (rank_correlation, clock_correlation)
        )
        found.append(
            f"{NAMES[name]} {loss[0].mean():.2f} and {loss[1].mean():.2f} "
            f"(the number of steps in its place {clock[0].mean():.2f} and "
            f"{clock[1].mean():.2f})"
        )
        gains = [
            mean_interval(a - b) for a, b in zip(loss, clock, strict=True)
        ]
        if all(gain > half for gain, half in gains):
            more.append(NAMES[name])
        elif all(gain < -half for gain, half in gains):
            less.append(NAMES[name])
    return Claim(
        "A GAN's loss does not say how good its samples are, a diffusion "
        "loss does.",
        "within a training, rank correlation with the distance on ring and "
        f"digits: {'; '.join(found)}",
        f"better than a clock: {_all_of(more)}; worse: {_all_of(less)}",
    )


def _all_of(names: list[str]) -> str:
    return " and ".join(names) or "none"


def claim_about_networks(rows: list[dict]) -> Claim:
    """Say whether a GAN trains more than its generator."""
    samples, trains, alone = (
        float(values(rows, "digits", name, measure).mean())
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


def claim_about_collapse(rows: list[dict]) -> Claim:
    """Say whether GANs lose modes and diffusion models do not."""
    lost = {
        name: sum(
            float(values(rows, task, name, "modes_lost").sum())
            for task in ("ring", "digits")
        )
        for name in ("diffusion", "gan", "gan-r1")
    }
    by = {
        some: " and ".join(NAMES[n] for n in lost if bool(lost[n]) == some)
        for some in (True, False)
    }
    return Claim(
        "GANs lose modes, diffusion models never do.",
        "modes lost in all trainings: "
        + ", ".join(f"{NAMES[name]} {lost[name]:.0f}" for name in lost),
        "here lost by "
        + (by[True] or "nobody")
        + (", and not by " + by[False] if by[True] and by[False] else ""),
    )


def claim_about_quality(rows: list[dict]) -> Claim:
    """Say whether the diffusion model has better samples than the best GAN."""
    found = {
        f"{task} by {title}": compare(
            rows, task, measure, "diffusion", "gan-r1"
        )
        for task, measure, title in (
            ("ring", "energy", "energy distance"),
            ("digits", "energy", "energy distance"),
            ("digits", "frechet", "Fréchet distance"),
        )
    }
    words = {"diffusion": "true", "gan-r1": "wrong", None: "not decided"}
    return Claim(
        "Diffusion models have better samples than GANs.",
        "; ".join(f"{by}: {each.verdict}" for by, each in found.items()),
        "; ".join(
            f"{words[each.winner]} on the {by}" for by, each in found.items()
        ),
    )


def claim_about_speed(rows: list[dict]) -> Claim:
    """Say whether sampling from a diffusion model is slow."""
    times = {
        task: float(
            values(rows, task, "diffusion", "seconds_thousand").mean()
            / values(rows, task, "gan-r1", "seconds_thousand").mean()
        )
        for task in ("ring", "digits")
    }
    return Claim(
        "Sampling from a diffusion model is slow.",
        "a thousand samples take "
        + ", ".join(f"{x:,.0f} times as long ({t})" for t, x in times.items()),
        "true" if min(times.values()) > 2 else "wrong here",
    )
