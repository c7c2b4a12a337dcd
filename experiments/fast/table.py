"""The table of the run: results.csv, a row for each thing measured."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
TABLE = FOLDER / "results.csv"


class Row(NamedTuple):
    """What one set of samples was, and how far it is from the data.

    ``minutes``, of CPU, is the one column that another run changes.
    """

    part: str  # of the run
    method: str
    grid: str = ""  # of the solver
    passes: int = 0  # of the network, counted; real data need none
    seed: int = 0
    step: int | None = None  # of the training
    minutes: float | None = None  # of CPU, of training until then
    loss: float | None = None  # mean since the row before
    distance: float | None = None
    error: float | None = None  # root mean square, to the end of the flow


FORMS = (str, str, str, int, int, int, float, float, float, float)


def read(path: Path = TABLE) -> list[Row]:
    """Return the committed table."""
    with path.open(newline="") as file:
        lines = list(csv.reader(file))[1:]
    return [
        Row(
            *(
                form(cell) if cell or form is str else None
                for form, cell in zip(FORMS, line, strict=True)
            )
        )
        for line in lines
    ]


def write(rows: Iterable[Row], path: Path = TABLE) -> None:
    """Write a table, numbers to six digits."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        for row in rows:
            writer.writerow(
                f"{x:.6g}" if isinstance(x, float) else x for x in row
            )


def chosen(rows: Iterable[Row], **wanted: object) -> list[Row]:
    """Return the rows whose columns have the wanted values."""
    return [
        row
        for row in rows
        if all(getattr(row, key) == value for key, value in wanted.items())
    ]


def values(
    rows: Iterable[Row], column: str = "distance", **wanted: object
) -> list[float]:
    """Return a column of the chosen rows, one number a seed."""
    found = [getattr(row, column) for row in chosen(rows, **wanted)]
    if not found or None in found:
        raise LookupError(f"the table has no {column} of {wanted}")
    return found


def mean(
    rows: Iterable[Row], column: str = "distance", **wanted: object
) -> float:
    """Return the mean over the seeds."""
    found = values(rows, column, **wanted)
    return sum(found) / len(found)
