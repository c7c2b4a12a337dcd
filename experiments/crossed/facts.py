"""The numbers that prose may state, and what may be said of them.

Each function returns numbers by name, for prose to take in, and asserts what
the prose says of them: where a new table makes a sentence untrue, it fails.
"""

import math
import statistics
from itertools import product

from experiments.crossed.claims import better_of_each, modes_lost
from experiments.crossed.results import ends
from experiments.crossed.search import AT_ONCE, LOOP, SIDES
from experiments.crossed.shown import build_of, median, values
from experiments.crossed.sizes import sizes
from experiments.crossed.tasks import Handwriting, Plane
from experiments.crossed.verdicts import LEVEL, QUESTIONS, Side, all_verdicts

PAIR = ("diffusion", "gan-r1")
BUILDS = ("perceptron", "convolution")


def seconds() -> dict:
    """Return what a training may spend."""
    return {
        "seconds-ring": Plane.seconds,
        "seconds-digits": Handwriting.seconds,
    }


# ---- the GANs ---------------------------------------------------------------


def gan(rows: list[dict]) -> dict:
    """Return the numbers of the GANs."""
    lost = modes_lost(rows, "gan")["digits"] * 10
    assert lost > 1
    settled = median(rows, "ring", "gan-r1", "loss")
    assert abs(settled - math.log(2)) < 0.05  # "near log 2"
    floor = median(rows, "ring", "real", "energy")
    return seconds() | {
        "lost-gan": lost,
        "settled": settled,
        "floors-away": median(rows, "ring", "gan-r1", "energy") / floor,
    }


# ---- the families -----------------------------------------------------------


def families(rows: list[dict]) -> dict:
    """Return all numbers of the families."""
    pictures = sizes(rows, "digits")
    found = {f"latent-{n}": pictures[n].latent for n in ("gan-r1", "vae")}
    found["latent-points"] = sizes(rows, "ring")["vae"].latent
    return seconds() | found | likelihoods(rows) | baselines(rows)


def likelihoods(rows: list[dict]) -> dict:
    """Return how far each -log p, or its bound, is from the truth."""
    truth = median(rows, "ring", "real", "nats")
    found = {"exact": truth}
    for name in ("diffusion", "vae", "flow", "mixture", "kde"):
        found[f"excess-{name}"] = median(rows, "ring", name, "nats") - truth
    closer = median(rows, "ring", "vae", "nats_closer")
    return found | {"excess-vae-closer": closer - truth}


def baselines(rows: list[dict]) -> dict:
    """Return what the baselines reach."""
    return {
        "mixture-seconds": median(rows, "ring", "mixture", "seconds"),
        "frechet-kde": median(rows, "digits", "kde", "frechet"),
        "frechet-real": median(rows, "digits", "real", "frechet"),
    }


# ---- the contest ------------------------------------------------------------


def contest(rows: list[dict]) -> dict:
    """Return all numbers of the contest's design, costs and ratios."""
    parts = (design, prices, searches, edges, luck, turns)
    return seconds() | {
        name: x for part in parts for name, x in part(rows).items()
    }


def design(rows: list[dict]) -> dict:
    """Return what the text says of the questions and their correction."""
    count = len(QUESTIONS)
    assert len(all_verdicts(rows)) == count == 41
    best = count * 2 / 2**12
    assert best < LEVEL
    contest_rows = [row for row in rows if row["phase"] == "contest"]
    gone = {
        (
            row["task"],
            row["method"],
            row["build"],
            row["currency"],
            row["seed"],
        )
        for row in contest_rows
        if math.isinf(row["distance"])
    }
    return {"best-p": best, "blown-up": len(gone)}


def prices(rows: list[dict]) -> dict:
    """Return what a step and a sample cost, and how far currencies differ."""
    found = {}
    for side in product(PAIR, BUILDS):
        end = next(iter(ends(rows, "digits", *side, "seconds").values()))
        name = "-".join(side)
        found[f"steps-{name}"] = end["steps"]
        found[f"operations-{name}"] = end["operations"] / end["steps"] / 1e6
        found[f"pace-{name}"] = end["operations"] / Handwriting.seconds / 1e9
    paces = [x for name, x in found.items() if name.startswith("pace-")]
    best = [found[f"steps-{name}-{build_of('digits', name)}"] for name in PAIR]
    slower, more = (
        median(rows, "digits", "diffusion", measure)
        / median(rows, "digits", "gan-r1", measure)
        for measure in ("seconds_block", "operations_sample")
    )
    return found | {
        "paces-apart": max(paces) / min(paces),
        "step-times": max(best) / min(best),
        "slower": slower,
        "more-operations": more,
        "passes": sizes(rows, "digits")["diffusion"].passes,
    }


def searches(rows: list[dict]) -> dict:
    """Return how much hangs on the settings, in the first round, digits."""
    found = {}
    for method in PAIR:
        tried = [
            row["distance"]
            for row in rows
            if row["phase"] == "first"
            and (row["task"], row["method"]) == ("digits", method)
            and row["build"] == build_of("digits", method)
            and math.isfinite(row["distance"])
        ]
        found[f"settings-{method}"] = max(tried) / min(tried)
    return found


def luck(rows: list[dict]) -> dict:
    """Return how often two single seeds have the worse method ahead.

    And in how many seeds the better one is, each method in its better build.
    """
    found = {}
    for task, measure in (("ring", "energy"), ("digits", "frechet")):
        by = {name: values(rows, task, name, measure) for name in PAIR}
        better, worse = sorted(
            by.values(), key=lambda x: (statistics.median(x), sum(x))
        )
        pairs = product(better, worse)
        alike = zip(better, worse, strict=True)
        found[f"misled-{task}"] = statistics.mean(b > w for b, w in pairs)
        found[f"better-seeds-{task}"] = sum(b < w for b, w in alike)
    return found


def edges(rows: list[dict]) -> dict:
    """Return how many sides won with the lowest or the highest rate."""
    rates = {setting["lr"] for setting in LOOP}
    won = [
        next(iter(ends(rows, *side, currency).values()))["config"]["lr"]
        for side in SIDES
        if side.method not in AT_ONCE
        for currency in [
            "operations" if side.task.startswith("grid") else "seconds"
        ]
    ]
    return {"edges": sum(lr in (min(rates), max(rates)) for lr in won)}


def turns(rows: list[dict]) -> dict:
    """Return the ratios that the text names, of the digits' builds."""
    found = {}
    for each in all_verdicts(rows):
        if each.currency == "seconds" and each.measure == "frechet":
            name = "-to-".join(map(_short, each.sides))
            found[f"ratio-{name}"] = each.ratio
    both = [better_of_each(rows, c).winner for c in ("seconds", "operations")]
    assert both == [("gan-r1", "perceptron"), None]  # the currency decides
    return found


def _short(side: Side) -> str:
    return f"{side[0]}-{side[1]}"
