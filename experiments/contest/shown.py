"""What the pages show of a method: which build, and its values by seed."""

import statistics

from experiments.contest.results import ends

BUILDS = {"digits": {"diffusion": "convolution"}}
"""Which build stands for a method where one is shown; else perceptrons."""


def build_of(task: str, method: str) -> str:
    """Return which build stands for a method on a task."""
    if method in ("kde", "mixture", "real"):
        return "none"
    return BUILDS.get(task, {}).get(method, "perceptron")


def values(
    rows: list[dict],
    task: str,
    method: str,
    measure: str,
    currency: str = "seconds",
) -> list[float]:
    """Return a measure at the end of each training, by seed."""
    found = ends(rows, task, method, build_of(task, method), currency)
    return [found[seed][measure] for seed in sorted(found)]


def median(rows: list[dict], *which: str) -> float:
    """Return the median over the seeds; see values."""
    return statistics.median(values(rows, *which))
