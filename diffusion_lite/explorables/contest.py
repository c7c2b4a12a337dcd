"""Chapter 8's live figure: all trainings of the contest, and its verdicts."""

import math
from collections.abc import Iterable
from typing import Any

from diffusion_lite.explorables.explorable import Explorable

MEASURES = (
    "energy",
    "frechet",
    "weights_tv",
    "modes_lost",
    "precision",
    "recall",
)
METHODS = ("diffusion", "gan-r1")


class ContestExplorable(Explorable):
    """Choose data, measure, currency and builds; see the verdict turn.

    The script is handed how each training ended, and computes everything
    else: ratios by seed, their estimate and interval, and the exact p of the
    signed-rank test.
    """

    def __init__(self, *, trainings: dict[str, Any], figure: str = "") -> None:
        """Take the place of the still figure of that name, if there is one.

        trainings is what ``compact`` returns.
        """
        super().__init__(data=trainings, figure=figure)


def compact(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return how the contest's trainings ended, as the script reads them.

    ``sides`` has for each task, currency, side (method and build) and measure
    a list of values, one for each of ``seeds``; ``floors`` has for each task
    and measure those of real data. An infinite value, of a training that blew
    up, is None. A measure that a side lacks is left out.

    Raises:
        ValueError: there are no such trainings, or a side lacks a seed.
    """
    ends = [
        row
        for row in rows
        if row["phase"] == "contest" and row["step"] == row["steps"]
    ]
    wanted = [row for row in ends if row["method"] in (*METHODS, "real")]
    if not wanted:
        raise ValueError("rows must have trainings of the contest, got none")
    seeds = sorted({row["seed"] for row in wanted})
    sides: dict[str, Any] = {}
    floors: dict[str, Any] = {}
    for cell, found in _by_cell(wanted).items():
        task, currency, method, build = cell
        if found.keys() != set(seeds):
            raise ValueError(
                f"each side must have the seeds {seeds}, got {sorted(found)} "
                f"for {' '.join(cell)}"
            )
        values = _by_measure([found[seed] for seed in seeds])
        if method == "real":
            floors[task] = values
        else:
            held = sides.setdefault(task, {}).setdefault(currency, {})
            held[f"{method} {build}"] = values
    return {"seeds": seeds, "sides": sides, "floors": floors}


def _by_cell(
    rows: Iterable[dict[str, Any]],
) -> dict[tuple[str, ...], dict[int, dict[str, Any]]]:
    """Return the rows by what was trained, and by seed."""
    found: dict[tuple[str, ...], dict[int, dict[str, Any]]] = {}
    for row in rows:
        cell = (row["task"], row["currency"], row["method"], row["build"])
        found.setdefault(cell, {})[row["seed"]] = row
    return found


def _by_measure(rows: list[dict[str, Any]]) -> dict[str, list[float | None]]:
    """Return a list of values for each measure that all the rows have."""
    return {
        measure: [_sent(row[measure]) for row in rows]
        for measure in MEASURES
        if all(row[measure] is not None for row in rows)
    }


def _sent(x: float) -> float | None:
    """Return x with the table's six digits, or None if it is infinite."""
    return float(f"{x:.6g}") if math.isfinite(x) else None
