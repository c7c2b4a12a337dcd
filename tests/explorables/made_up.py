"""A contest that was never held: rows like its table's, for the tests."""

import math
import random
from itertools import product

SEEDS = range(40, 52)
TASKS = ("ring", "grid25", "grid100", "grid400", "digits")
SIDES = [  # task, method, build, currency
    *(
        ("ring", method, "perceptron", currency)
        for method, currency in product(
            ("diffusion", "gan-r1"), ("seconds", "operations")
        )
    ),
    *(
        (task, method, "perceptron", "operations")
        for task, method in product(TASKS[1:4], ("diffusion", "gan-r1"))
    ),
    *(
        ("digits", *each)
        for each in product(
            ("diffusion", "gan-r1"),
            ("perceptron", "convolution"),
            ("seconds", "operations"),
        )
    ),
    *((task, "real", "none", "seconds") for task in TASKS),
]
BLOWN = ("digits", "gan-r1", "convolution", "operations")
"""Two trainings of this side have blown up."""


def contest():
    """Return the last rows of all trainings of both sides, and of real data.

    The further a side stands in the list, the worse it does, more or less.
    """
    chance = random.Random(0)
    return [
        row(side, seed, 1 + place % 7, chance)
        for place, side in enumerate(SIDES)
        for seed in SEEDS
    ]


def row(side, seed, bad, chance):
    """Return the row of a training, of which some have blown up."""
    task, method, build, currency = side
    made = {
        "energy": 0.001 * bad * chance.lognormvariate(0, 0.5),
        "frechet": 20 * bad * chance.lognormvariate(0, 0.5),
        "weights_tv": 0.01 * bad * chance.lognormvariate(0, 0.5),
        "modes_lost": chance.choice((0, 0, 0, 1, bad)),
        "precision": chance.uniform(0.5, 1 - bad / 20),
        "recall": chance.uniform(0.5, 1 - bad / 30),
    }
    made = {name: float(f"{x:.6g}") for name, x in made.items()}
    if side == BLOWN and seed in (42, 47):
        made |= dict.fromkeys(("energy", "frechet", "weights_tv"), math.inf)
        made |= {"modes_lost": 10, "precision": 0.0, "recall": 0.0}
    if task != "digits":
        made["frechet"] = None
    return made | {
        "phase": "contest",
        "task": task,
        "method": method,
        "build": build,
        "currency": currency,
        "seed": seed,
        "steps": 9,
        "step": 9,
    }
