"""The contest's table: a row for each evaluation of each model.

An empty cell was not measured. A training that blew up has infinite
distances and every mode lost: it ranks last, and is never left out.
"""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from experiments.contest.search import SIDES

TABLE = Path(__file__).with_name("results.csv")


def settings(text: str) -> dict:
    """Return the settings that a cell holds.

    Raises:
        ValueError: it is no JSON object, or one with NaN or Infinity in it.
    """
    found = json.loads(text, parse_constant=_refuse)
    return found if isinstance(found, dict) else _refuse(text)


def _refuse(text: str) -> dict:
    raise ValueError(f"{text} is none")


COLUMNS = {
    "phase": str,  # "first", "second", "third" round of the search; "contest"
    "task": str,
    "method": str,
    "build": str,
    "currency": str,  # what all sides spent the same of
    "config": settings,
    "seed": int,
    "steps": int,  # of the whole training
    "step": int,  # when it was evaluated
    "seconds": float,  # of CPU, until then
    "operations": float,  # until then
    "loss": float,  # mean since the last evaluation
    "discriminator_loss": float,  # likewise
    "distance": float,  # energy (plane), Frechet (digits), of a few samples
    "energy": float,
    "frechet": float,
    "weights_tv": float,  # total variation of the modes' shares
    "modes_lost": int,
    "precision": float,
    "recall": float,
    "nats": float,  # -log p of new points, or a bound on it
    "nats_closer": float,  # a closer bound, of 256 samples of the latent
    "seconds_one": float,  # of CPU, for one sample
    "seconds_block": float,  # of CPU, for each of many
    "passes": int,  # of a network, for one sample
    "operations_sample": float,  # for one sample
    "parameters": int,  # of the network that samples
    "trained": int,  # parameters in all
    "commit": str,
    "sources": str,  # a hash of the code that ran
    "machine": str,
}
KINDS = {settings: "settings in JSON", int: "an integer", float: "a number"}
KNOWN = {
    "phase": ("first", "second", "third", "contest"),
    "task": tuple(dict.fromkeys(side.task for side in SIDES)),
    "method": tuple(dict.fromkeys(side.method for side in SIDES)),
    "build": tuple(dict.fromkeys(side.build for side in SIDES)),
    "currency": ("seconds", "operations"),
}
CELL = ("task", "method", "build", "currency")
"""What a cell of the contest has in common: its trainings differ in seed."""

ORIGIN = {"commit": "commits", "sources": "sources", "machine": "machines"}
"""What all rows have in common, and what several of them are called."""

FILLED = {*KNOWN, *ORIGIN, "config", "seed", "steps", "step"}
"""What every row has."""


def read(path: str | Path = TABLE) -> list[dict]:
    """Return the table's rows; an empty cell is None.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its columns are not COLUMNS, a cell is not of its type, is
            NaN, is empty in a column of FILLED, or not one of KNOWN; the rows
            are not all of one commit, sources and machine, or of code that
            was changed since; a training has not one last row; a cell of the
            contest lacks a seed that another has.
    """
    with Path(path).open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        if table.fieldnames != list(COLUMNS):
            raise ValueError(
                f"{path} must have the columns {', '.join(COLUMNS)}; got "
                f"{', '.join(table.fieldnames or ['none'])}"
            )
        rows = [_typed(row, f"line {table.line_num}") for row in table]
    _check_origin(rows)
    _check_last_rows(rows)
    _check_seeds(rows)
    return rows


def _typed(row: dict, where: str) -> dict:
    """Return the row with each cell's value in the place of its text."""
    if None in row or None in row.values():
        raise ValueError(f"{where} must have {len(COLUMNS)} cells")
    return {name: _value(name, row[name], where) for name in COLUMNS}


def _value(name: str, text: str, where: str) -> object:
    if not text:
        if name in FILLED:
            raise ValueError(f"{where}: {name} must not be empty")
        return None
    make = COLUMNS[name]
    try:
        value = make(text)
    except ValueError:
        raise ValueError(
            f"{where}: {name} must be {KINDS[make]}, got {text!r}"
        ) from None
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"{where}: {name} must be a number or inf, got NaN")
    if value not in KNOWN.get(name, [value]):
        raise ValueError(
            f"{where}: {name} must be one of {', '.join(KNOWN[name])}; got "
            f"{text!r}"
        )
    return value


def _check_origin(rows: list[dict]) -> None:
    for name, several in ORIGIN.items():
        found = sorted({row[name] for row in rows})
        if len(found) > 1:
            raise ValueError(
                f"rows of {len(found)} {several}: {'; '.join(found)}; a table "
                "must be of one"
            )
    for row in rows:
        if row["commit"].endswith("+"):
            raise ValueError(
                f"the commit must be one whose code was not changed since; "
                f"got {row['commit']!r}"
            )


def _check_last_rows(rows: list[dict]) -> None:
    """Check that each training has one row at its last step."""
    counts: Counter[tuple] = Counter()
    for row in rows:
        counts[_training(row)] += row["step"] == row["steps"]
    for training, count in counts.items():
        if count != 1:
            raise ValueError(
                f"a training must have one last row (step = steps), got "
                f"{count}: {', '.join(map(str, training))}"
            )


def _training(row: dict) -> tuple:
    """Return what tells a training from the others.

    In the contest a side has one training from each seed.
    """
    found = (row["phase"], *cell(row), f"seed {row['seed']}")
    return found if row["phase"] == "contest" else (*found, str(row["config"]))


def _check_seeds(rows: list[dict]) -> None:
    """Check that all cells of the contest have the same seeds."""
    seeds: dict[tuple, set] = {}
    for row in rows:
        if row["phase"] == "contest":
            seeds.setdefault(cell(row), set()).add(row["seed"])
    wanted = set().union(*seeds.values())
    for name, found in seeds.items():
        if found != wanted:
            missing = ", ".join(map(str, sorted(wanted - found)))
            raise ValueError(
                f"the contest of {', '.join(name)} must have the seeds of all "
                f"others; it lacks {missing}"
            )


def cell(row: dict) -> tuple[str, ...]:
    """Return task, method, build and currency of a row."""
    return tuple(row[name] for name in CELL)


def write(rows: Iterable[dict], path: str | Path = TABLE) -> None:
    """Write the rows as a table; what a row lacks stays empty."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({name: _text(row.get(name)) for name in COLUMNS})


def _text(value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value)
    return f"{value:.6g}" if isinstance(value, float) else value


def ends(
    rows: list[dict], task: str, method: str, build: str, currency: str
) -> dict[int, dict]:
    """Return the last row of each training of a side in the contest, by seed.

    Raises:
        ValueError: the contest had no such side.
    """
    wanted = (task, method, build, currency)
    found = {
        row["seed"]: row
        for row in rows
        if row["phase"] == "contest"
        and row["step"] == row["steps"]
        and cell(row) == wanted
    }
    if not found:
        raise ValueError(f"the table has no contest of {', '.join(wanted)}")
    return dict(sorted(found.items()))
