"""The numbers that prose may state, and what may be said of them.

Each function returns numbers by name, for prose to take in, and asserts what
the prose says of them: where a new table makes a sentence untrue, it fails.
"""

import math
import statistics
from itertools import product

from diffusion_lite.training import WARMUP_STEPS
from experiments.contest.claims import modes_lost, times_as_slow
from experiments.contest.figures import MODES
from experiments.contest.results import ends
from experiments.contest.shown import build_of, median, values
from experiments.contest.sizes import sizes
from experiments.contest.tasks import Handwriting, Plane
from experiments.contest.verdicts import (
    CONVOLVED,
    CONVOLVED_GAN,
    GAN,
    LEVEL,
    PLAIN,
    QUESTIONS,
    Question,
    Side,
    Verdict,
    advantage,
    all_verdicts,
    differences,
)

PAIR = ("diffusion", "gan-r1")
BUILDS = ("perceptron", "convolution")


def seconds() -> dict:
    """Return what a training may spend."""
    return {
        "seconds-ring": Plane.seconds,
        "seconds-digits": Handwriting.seconds,
    }


# ---- chapter 6 -------------------------------------------------------------


def gan(rows: list[dict]) -> dict:
    """Return the numbers that chapter 6 takes from the contest."""
    lost = statistics.mean(modes_lost(rows, "gan")["digits"])
    assert lost > 1
    losses = values(rows, "ring", "gan-r1", "loss")
    settled = statistics.median(x for x in losses if x is not None)
    assert abs(settled - math.log(2)) < 0.05  # "near log 2"
    floor = median(rows, "ring", "real", "energy")
    return {
        "seconds-ring": Plane.seconds,
        "lost-gan": lost,
        "settled": settled,
        "floors-away": median(rows, "ring", "gan-r1", "energy") / floor,
    }


# ---- chapter 7 ---------------------------------------------------------


def families(rows: list[dict]) -> dict:
    """Return all numbers that chapter 7 takes from the contest."""
    check_orders(rows)
    pictures = sizes(rows, "digits")
    found = {f"latent-{n}": pictures[n].latent for n in ("gan-r1", "vae")}
    found["latent-points"] = sizes(rows, "ring")["vae"].latent
    gan, *others = (
        median(rows, "ring", name, "recall")
        for name in ("gan-r1", "diffusion", "vae", "flow")
    )
    assert gan < min(others)
    found |= {"recall-gan": gan, "recall-least": min(others)}
    return seconds() | found | likelihoods(rows) | baselines(rows)


def check_orders(rows: list[dict]) -> None:
    """Assert what chapter 7 says of the families' order, by medians."""

    def of(task: str, measure: str, *names: str) -> list[float]:
        return [median(rows, task, name, measure) for name in names]

    energy = of("ring", "energy", "diffusion", "flow", "gan-r1", "vae")
    assert energy == sorted(energy)
    frechet = of("digits", "frechet", "gan-r1", "diffusion", "flow", "vae")
    assert frechet == sorted(frechet)
    assert frechet[2] > 1.5 * frechet[1]  # "far behind"
    vae, *others = of("digits", "precision", "vae", "flow", *PAIR)
    assert vae > max(others)
    bound, exact = of("ring", "nats", "diffusion", "flow")
    assert bound < exact
    copies = median(rows, "digits", "kde", "frechet")
    assert copies < min(frechet)


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
    return copying(rows) | {
        "mixture-seconds": median(rows, "ring", "mixture", "seconds"),
        "frechet-real": median(rows, "digits", "real", "frechet"),
    }


# ---- chapter 8 --------------------------------------------------------------


def contest(rows: list[dict]) -> dict:
    """Return all numbers that chapter 8 states."""
    of_verdicts = (design, verdicts, currencies, collapse, many_modes)
    of_costs = (prices, fewer_steps, samples, copying, searches, luck)
    return seconds() | {
        name: x
        for part in of_verdicts + of_costs
        for name, x in part(rows).items()
    }


def design(rows: list[dict]) -> dict:
    """Return what the text says of the questions, and of failures."""
    assert len(all_verdicts(rows)) == len(QUESTIONS) == 41
    best = len(QUESTIONS) * 2 / 2**12
    assert best < LEVEL
    last = [row for row in rows if row["step"] == row["steps"]]
    lost = [row["phase"] for row in last if math.isinf(row["distance"])]
    names = ("task", "method", "build", "seed", "steps")  # no currency
    different = {
        tuple(row[name] for name in names)
        for row in last
        if row["phase"] == "contest" and row["method"] in PAIR
    }
    return {
        "best-p": best,
        "blown-up": lost.count("contest") or "none",
        "trainings": len(different),
    }


def answers(rows: list[dict]) -> dict[Question, Verdict]:
    """Return all verdicts by their questions."""
    return {
        Question(*(getattr(each, name) for name in Question._fields)): each
        for each in all_verdicts(rows)
    }


def verdicts(rows: list[dict]) -> dict:
    """Return by how much one side is better, at equal seconds."""
    found, numbers = answers(rows), {}
    for name, (task, better, other) in {
        "ring": ("ring", PLAIN, GAN),
        "perceptrons": ("digits", GAN, PLAIN),
        "convolutions": ("digits", CONVOLVED, CONVOLVED_GAN),
        "better-builds": ("digits", GAN, CONVOLVED),
        "build-diffusion": ("digits", CONVOLVED, PLAIN),
        "build-gan": ("digits", GAN, CONVOLVED_GAN),
    }.items():
        measure = "energy" if task == "ring" else "frechet"
        asked = Question(task, "seconds", measure, (better, other))
        if asked not in found:
            asked = asked._replace(sides=(other, better))
        each = found[asked]
        assert each.winner == better
        numbers[f"better-{name}"] = max(each.ratio, 1 / each.ratio)
    near = [
        found[Question(task, "operations", "energy", (PLAIN, GAN))].winner
        for task in ("ring", "grid25", "grid100", "grid400")
    ]
    assert near.count(PLAIN) == 3  # "on two of the three grids"
    assert near[0] == PLAIN
    assert near.count(None) == 1
    floor = median(rows, "ring", "real", "energy")
    ours, theirs = (median(rows, "ring", x, "energy") - floor for x in PAIR)
    return numbers | {"above-floor-ring": theirs / ours}


def currencies(rows: list[dict]) -> dict:
    """Return what the text says of the same sides in both currencies."""
    better = Question("digits", "seconds", "frechet", (CONVOLVED, GAN))
    precise = Question("digits", "seconds", "precision", (PLAIN, GAN))
    found = answers(rows)
    assert found[better._replace(currency="operations")].winner is None
    precise = precise._replace(currency="operations")
    assert found[precise].winner == PLAIN
    for measure in ("frechet", "recall"):  # "R1 is ahead (no verdict)"
        each = found[precise._replace(measure=measure)]
        assert each.wins[1] > each.wins[0]
        assert each.winner is None
    seconds, operations = (
        differences(rows, better._replace(currency=currency))
        for currency in ("seconds", "operations")
    )
    moves = [a > b for a, b in zip(seconds, operations, strict=True)]
    return {"moving-seeds": sum(moves)}


def collapse(rows: list[dict]) -> dict:
    """Return what the text says of the one training that collapsed."""
    found = ends(rows, "digits", *GAN, "operations")
    *others, worst = sorted(found.values(), key=lambda row: row["frechet"])
    assert worst["frechet"] > 10 * others[-1]["frechet"]
    asked = Question("digits", "operations", "frechet", (PLAIN, GAN))
    apart = differences(rows, asked)
    seed = list(found).index(worst["seed"])
    rest = apart[:seed] + apart[seed + 1 :]
    assert max(map(abs, rest)) < -apart[seed]  # "the highest rank"
    assert min(rest) > 0  # "though the eleven others agree"
    verdict = answers(rows)[asked]
    assert verdict.winner is None
    return {
        "collapsed": worst["frechet"],
        "collapsed-lost": worst["modes_lost"],
        "others-low": others[0]["frechet"],
        "others-high": others[-1]["frechet"],
        "lead-collapsed": verdict.ratio,
    }


def many_modes(rows: list[dict]) -> dict:
    """Return how the two sides do with more modes, at equal operations."""
    found = {}
    for method in PAIR:
        spent = values(rows, "grid400", method, "seconds", "operations")
        found[f"seconds-{method}-400"] = statistics.median(spent)
    for each in all_verdicts(rows):
        if (each.measure, each.currency) == ("weights_tv", "operations"):
            count = MODES[each.task]
            assert each.ratio < 1
            assert (each.winner is None) == (count < 100)
            found[f"shares-{count}"] = advantage(each)[0]
    assert not any(map(max, modes_lost(rows, "diffusion").values()))
    lost = values(rows, "grid400", "gan-r1", "modes_lost", "operations")
    precise = [
        median(rows, "grid100", name, "precision", "operations")
        for name in PAIR
    ]
    assert max(precise) < 0.4  # "neither has learned their shape"
    ours = [
        median(rows, "grid100", name, "recall", "operations") for name in PAIR
    ]
    real = median(rows, "grid100", "real", "recall")
    assert min(ours) > real  # "both sides have more of it than real data"
    return found | {
        "losing-400": sum(n > 0 for n in lost),
        "most-lost-400": max(lost),
        "precision-diffusion": precise[0],
        "precision-gan-r1": precise[1],
        "precision-real": median(rows, "grid100", "real", "precision"),
    }


def prices(rows: list[dict]) -> dict:
    """Return what a budget, a second and a step buy."""

    def one(side: Side, currency: str, task: str = "digits") -> dict:
        return next(iter(ends(rows, task, *side, currency).values()))

    found = {
        f"operations-{task}": one(GAN, "operations", task)["operations"] / 1e9
        for task in ("ring", "digits")
    }
    for side in (CONVOLVED, GAN):
        end, less = (one(side, each) for each in ("seconds", "operations"))
        name = "-".join(side)
        found[f"pace-{name}"] = end["operations"] / Handwriting.seconds / 1e9
        found[f"kept-{name}"] = less["steps"] / end["steps"]
    for side in (GAN, CONVOLVED_GAN):
        found[f"steps-{'-'.join(side)}"] = one(side, "seconds")["steps"]
    steps = [one(side, "seconds")["steps"] for side in (GAN, CONVOLVED)]
    return found | {"step-times": steps[0] / steps[1]}


def fewer_steps(rows: list[dict]) -> dict:
    """Return in how many seeds R1 of convolutions is nearer with fewer."""
    many, few = (
        ends(rows, "digits", *CONVOLVED_GAN, currency)
        for currency in ("seconds", "operations")
    )
    nearer = [few[seed]["frechet"] < many[seed]["frechet"] for seed in many]
    return {"fewer-nearer": sum(nearer)}


def samples(rows: list[dict]) -> dict:
    """Return how much longer a digit of the diffusion model takes."""
    return {
        "passes": sizes(rows, "digits")["diffusion"].passes,
        **{f"slower-{b}": times_as_slow(rows, b)[0] for b in BUILDS},
    }


def copying(rows: list[dict]) -> dict:
    """Return the distances of the baselines that beat a trained side."""
    copies, gan, mixture, unet = (
        median(rows, "digits", name, "frechet")
        for name in ("kde", "gan-r1", "mixture", "diffusion")
    )
    assert copies < gan < mixture < unet
    return {"frechet-kde": copies, "frechet-mixture": mixture}


def searches(rows: list[dict]) -> dict:
    """Return how much hangs on rate and batch, and how short the search is."""
    found = {}
    for (task, before), method in product(
        (("digits", ""), ("ring", "ring-")), PAIR
    ):
        tried = first_round(rows, task, (method, build_of(task, method)))
        far = [x["distance"] for x in tried if math.isfinite(x["distance"])]
        found[f"settings-{before}{method}"] = max(far) / min(far)
    tried = first_round(rows, "digits", CONVOLVED_GAN)
    found["first-steps"] = max(row["steps"] for row in tried)
    assert found["first-steps"] < WARMUP_STEPS
    return found


def first_round(rows: list[dict], task: str, side: Side) -> list[dict]:
    """Return the trainings of a side in the first round of its search."""
    return [
        row
        for row in rows
        if (row["task"], row["method"], row["build"]) == (task, *side)
        and row["phase"] == "first"
    ]


def luck(rows: list[dict]) -> dict:
    """Return how often two single seeds have the worse method ahead.

    On the digits, each method in its better build; and in how many seeds
    the better one is ahead.
    """
    better, worse = (values(rows, "digits", n, "frechet") for n in PAIR[::-1])
    return {
        "misled": statistics.mean(b > w for b in better for w in worse),
        "better-seeds": sum(b < w for b, w in zip(better, worse, strict=True)),
    }
