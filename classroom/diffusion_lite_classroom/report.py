"""Write what came of a class: a table, and a page for each student.

What a student wrote may stand in a message. It is never taken for HTML, nor
for a spreadsheet's formula.
"""

import csv
import os
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

COLUMNS = (
    "student",
    "notebook",
    "exercise",
    "passed",
    "message",
    "seed",
    "seconds",
)
LONGEST = 600


def plain(text: object) -> str:
    """Return a text on one line, without what cannot be seen."""
    words = " ".join(str(text).split())
    seen = "".join(c if c.isprintable() else "\ufffd" for c in words)
    return seen if len(seen) <= LONGEST else seen[:LONGEST] + " ..."


PAGES = Environment(
    autoescape=True,
    finalize=plain,
    loader=FileSystemLoader(Path(__file__).parent),
    lstrip_blocks=True,
    trim_blocks=True,
)
"""Whatever a template shows is made plain, and then escaped."""


def cell(value: object) -> str:
    """Return what stands in a cell: a text, not a formula."""
    text = plain(value)
    return "'" + text if text.startswith(("=", "+", "-", "@")) else text


def table(rows: Iterable[dict]) -> str:
    """Return the class as CSV, a line for each exercise."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([cell(row[name]) for name in COLUMNS])
    return out.getvalue()


def page(student: str, notebooks: dict[str, dict]) -> str:
    """Return a student's page: each notebook's exercises and notes."""
    marks = [m for record in notebooks.values() for m in record["marks"]]
    return PAGES.get_template("page.html").render(
        student=student,
        right=sum(mark["passed"] for mark in marks),
        total=len(marks),
        notebooks=notebooks,
    )


def write(path: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)
