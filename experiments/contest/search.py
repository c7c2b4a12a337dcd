"""Who is in the contest, and the settings that each may choose from.

Every trained side has the same twelve rates and batches, and then one more
setting of its own with two values. The first value of it is the one with
which rates and batches are tried.
"""

from itertools import product
from typing import NamedTuple

LOOP = [
    {"lr": lr, "batch_size": batch_size}
    for lr, batch_size in product(
        (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1), ("small", "large")
    )
]
BATCHES = {"plane": (256, 1024), "digits": (32, 128)}


class Side(NamedTuple):
    """Who is in the contest on a task: a method, and a build of networks."""

    task: str
    method: str
    build: str


OWN = {  # of each method, on a kind of task
    ("plane", "diffusion"): [{"T": 100}, {"T": 50}],
    ("plane", "gan"): [{"noise_dim": 8}, {"noise_dim": 2}],
    ("plane", "gan-r1"): [
        {"gamma": gamma, "noise_dim": 8} for gamma in (0.1, 1.0)
    ],
    ("plane", "vae"): [{"latent_dim": 8}, {"latent_dim": 4}],
    ("plane", "flow"): [  # of one size
        {"layers": layers, "width": width}
        for layers, width in ((8, 67), (12, 54))
    ],
    ("plane", "kde"): [{"bandwidth": h} for h in (0.01, 0.02, 0.03, 0.05)],
    ("plane", "mixture"): [{"n_components": n} for n in (4, 8, 12, 16)],
    ("digits", "diffusion"): [{"T": 100}, {"T": 50}],
    ("digits", "gan"): [{"noise_dim": 32}, {"noise_dim": 8}],
    ("digits", "gan-r1"): [
        {"gamma": gamma, "noise_dim": 32} for gamma in (0.1, 1.0)
    ],
    ("digits", "vae"): [{"latent_dim": 8}, {"latent_dim": 16}],
    ("digits", "flow"): [
        {"layers": layers, "width": width}
        for layers, width in ((12, 60), (16, 47))
    ],
    ("digits", "kde"): [{"bandwidth": h} for h in (0.03, 0.05, 0.1, 0.2)],
    ("digits", "mixture"): [
        {"n_components": n, "reg_covar": 3e-3} for n in (20, 40, 80, 160)
    ],
}
AT_ONCE = ("kde", "mixture", "real")
"""What is not trained step by step."""

PLAYERS = ("diffusion", "gan-r1")
"""Those that are compared in both currencies."""

SIDES = [
    *(
        Side(task, name, "perceptron")
        for task in ("ring", "digits")
        for name in (*PLAYERS, "gan", "vae", "flow")
    ),
    *(Side("digits", name, "convolution") for name in PLAYERS),
    *(
        Side(task, name, "perceptron")
        for task in ("grid25", "grid100", "grid400")
        for name in PLAYERS
    ),
    *(
        Side(task, name, "none")
        for task in ("ring", "digits")
        for name in AT_ONCE
    ),
    *(Side(task, "real", "none") for task in ("grid25", "grid100", "grid400")),
]


def kind(task: str) -> str:
    """Return "plane" or "digits"."""
    return "digits" if task == "digits" else "plane"


def rates(side: Side) -> list[dict]:
    """Return the settings of the first round, with the first of its own."""
    small, large = BATCHES[kind(side.task)]
    sizes = {"small": small, "large": large}
    own = OWN[kind(side.task), side.method][0]
    return [
        each | {"batch_size": sizes[each["batch_size"]]} | own for each in LOOP
    ]


def own(side: Side, best: list[dict]) -> list[dict]:
    """Return the settings of the second round: the best, with each own."""
    if side.method == "real":
        return [{}]
    values = OWN[kind(side.task), side.method]
    if side.method in AT_ONCE:
        return values
    return [config | value for config in best for value in values]
