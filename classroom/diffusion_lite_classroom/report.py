"""Write what came of a class: a table, and a page for each student.

What a student wrote may stand in a message. It is never taken for HTML, nor
for a spreadsheet's formula.
"""

import csv
import hashlib
import os
import re
import unicodedata
from collections import Counter
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
DEVICES = (
    r"(?i)^(con(in\$|out\$)?|prn|aux|nul|(com|lpt)[\d\xb9\xb2\xb3])(?=\.|$)"
)
"""Names that Windows keeps, whatever their ending."""

LONGEST_NAME = 180
"""How many bytes of a student's name stand in that of a page."""


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
    """Return what stands in a cell: a text, not a formula.

    Some spreadsheets take a wide sign for a plain one.
    """
    text = plain(value)
    first = unicodedata.normalize("NFKC", text[:1])
    return "'" + text if first in ("=", "+", "-", "@") else text


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


def page_names(students: Iterable[str]) -> dict[str, str]:
    """Return the name of each student's page, where every system has room.

    A name that is long, or that some system cannot tell from another's or
    cannot have, is cut and has a number behind it.
    """
    names = {student: file_name(student) for student in students}
    alike = Counter(name.casefold() for name in names.values())
    for student, name in names.items():
        usual = unicodedata.normalize("NFC", student)
        if name != usual or alike[name.casefold()] > 1:
            digest = hashlib.sha256(os.fsencode(student)).hexdigest()
            names[student] = f"{name}-{digest[:8]}"
    return {student: f"{name}.html" for student, name in names.items()}


def file_name(text: str) -> str:
    """Return a text as every system can have it for a file's name."""
    usual = unicodedata.normalize("NFC", text)
    seen = "".join(c if c.isprintable() else "_" for c in usual)
    name = re.sub(r'[<>:"/\\|?*]|[ .]$', "_", seen)
    name = re.sub(DEVICES, r"\1_", name)
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")


def write(path: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)
