"""Grade a class of 60, ten of them hostile; print who was harmed, and time.

``python classroom/class_of_60.py`` builds the class in _build/grading: 50
students hand in a lab each, with right answers, wrong ones, and stubs; ten
hand in one of ``tests/classroom/hostile.py``.
Honest students are harmed if one
of their verdicts is not the one that is due, or if one of their files has
changed; wrongly passed is a right mark for what is wrong. Stopped, it goes
on where it was: remove the folder to start afresh.
"""

import csv
import hashlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [
    str(ROOT / folder)
    for folder in ("tests/classroom", "tests/exercises", "tools")
]

# E402: these must follow the line that says where tests and tools are.
import nbformat  # noqa: E402

import hostile  # noqa: E402
from editions import exercises  # noqa: E402
from test_exercises import (  # noqa: E402
    LABS,
    handed_in,
    source,
    wrong_answers,
)

PLACE = ROOT / "_build" / "grading"
HONEST = 50
TEN = (
    "asks_back",
    "eats",
    "forges",
    "forks",
    "hangs",
    "kills",
    "leaves",
    "redefines",
    "spies",
    "spoils",
)


def main() -> None:
    """Build the class, grade it, and say what came of it."""
    due = {}
    for number in range(HONEST):
        due |= honest(f"student_{number:02}", number)
    for number, name in enumerate(TEN):
        due |= malicious(f"hostile_{number}", name)
    files = digests()
    start = time.monotonic()
    command = [sys.executable, "-m", "diffusion_lite_classroom"]
    command += [str(PLACE / "submissions"), "--out", str(PLACE / "results")]
    subprocess.run(command, check=True)
    seconds = time.monotonic() - start
    tell(due, marks(), seconds, changed=files != digests())


def honest(student: str, number: int) -> dict:
    """Hand in a full lab with a mixture of answers; return what is due."""
    path = LABS[number % len(LABS)]
    lab, chance = nbformat.read(path, as_version=4), random.Random(number)
    solutions = [each.solution for each in exercises(lab)]
    slots = [c for c in lab.cells if "exercise" in c.metadata.get("tags", [])]
    due = {}
    for cell, solution, (name, answer) in zip(
        slots, solutions, handed_in(path), strict=True
    ):
        kind = chance.choice(("right", "right", "wrong", "stub"))
        if kind == "right":
            cell.source = solution
        elif kind == "wrong":
            cell.source = wrong(name, answer, chance)
        due[student, name] = "yes" if kind == "right" else "no"
    hand_in(student, path.name, lab)
    return due


def wrong(name: str, answer: str, chance: random.Random) -> str:
    """Return a cell that gives a wrong answer its name in the lab."""
    mine = [p.values[1] for p in wrong_answers() if p.values[0] == name]
    chosen = chance.choice(mine)
    return (
        f"space = {{'__name__': 'answers'}}\nexec({source(chosen)!r}, space)"
        f"\n{answer} = space[{chosen.__name__!r}]"
    )


def malicious(student: str, name: str) -> dict:
    """Hand in a hostile notebook; return the verdicts due."""
    targets = [str(PLACE / "submissions"), str(PLACE / "results")]
    targets += [f"{targets[0]}/student_00", f"{targets[1]}/records"]
    code = [
        nbformat.v4.new_code_cell(source)
        for source in hostile.cells(name, targets)
    ]
    hand_in(student, f"{name}.ipynb", nbformat.v4.new_notebook(cells=code))
    return {(student, f"forward-{k}"): "no" for k in range(1, 5)}


def hand_in(student: str, name: str, lab: nbformat.NotebookNode) -> None:
    """Write a student's notebook, with the same bytes each time."""
    for number, cell in enumerate(lab.cells):
        cell.id = f"cell-{number}"
    path = PLACE / "submissions" / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(lab))


def digests() -> dict:
    """Return a digest of each file that was handed in."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(PLACE.glob("submissions/*/*"))
    }


def marks() -> dict:
    """Return the verdicts that the grader gave."""
    table = PLACE / "results" / "grades.csv"
    with open(table, newline="", encoding="utf-8") as file:
        return {
            (row["student"], row["exercise"]): row["passed"]
            for row in csv.DictReader(file)
        }


def tell(due: dict, given: dict, seconds: float, changed: bool) -> None:
    """Print what came of the class."""
    harmed = {
        who
        for (who, exercise), verdict in due.items()
        if who.startswith("student")
        and given.get((who, exercise), "none") != verdict
    }
    passed = [
        key
        for key, verdict in due.items()
        if verdict == "no" and given.get(key) == "yes"
    ]
    print(
        f"{len({who for who, _ in given})} students in {seconds:.0f} s; "
        f"{len(due)} verdicts due, {len(given)} given; "
        f"harmed: {len(harmed)} {sorted(harmed)}; "
        f"wrongly passed: {len(passed)} {passed}; "
        f"files changed: {changed}"
    )


if __name__ == "__main__":
    main()
