"""Write what came of a class: a table, and a page for each student.

What a student wrote may stand in a message. It is never taken for HTML, nor
for a spreadsheet's formula.
"""

import csv
import os
from collections.abc import Iterable
from html import escape
from io import StringIO
from pathlib import Path

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

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem;
 margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.1rem; margin: 2rem 0 0; }}
dt {{ font-weight: 600; margin-top: 1rem; }}
dd {{ margin: 0 0 0 1.5rem; }}
</style>
<h1>{title}</h1>
<p>{count}</p>
{body}
</html>
"""


def plain(text: object) -> str:
    """Return a text on one line, without what cannot be seen."""
    words = " ".join(str(text).split())
    seen = "".join(c if c.isprintable() else "\ufffd" for c in words)
    return seen if len(seen) <= LONGEST else seen[:LONGEST] + " ..."


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
    right = sum(mark["passed"] for mark in marks)
    return PAGE.format(
        title=escape(plain(student)),
        count=f"{right} of {len(marks)} exercises are right.",
        body="\n".join(section(*item) for item in notebooks.items()),
    )


def section(name: str, record: dict) -> str:
    """Return the part of a page that is about one notebook."""
    lines = [f"<h2>{escape(plain(name))}</h2>", "<dl>"]
    for mark in record["marks"]:
        verdict = "right" if mark["passed"] else "not yet"
        lines += [
            f"<dt>{escape(mark['exercise'])}: {verdict}</dt>",
            f"<dd>{escape(plain(mark['message']))}</dd>",
        ]
    lines += ["</dl>", "<ul>"]
    lines += [f"<li>{escape(plain(note))}</li>" for note in record["notes"]]
    return "\n".join([*lines, "</ul>"])


def write(path: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)
