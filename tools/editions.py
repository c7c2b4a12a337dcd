"""Make the student's edition, or the teacher's, from the labs.

``python tools/editions.py student`` writes _build/student and student.zip:
labs without solutions and outputs, the package as a wheel, what to install.
``python tools/editions.py teacher`` writes _build/teacher and teacher.zip:
the full labs, the same for nbgrader, and a small book of every exercise with
hints, solution, likely mistakes and what each is told.
"""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from diffusion_lite.exercises import check
from diffusion_lite.exercises.trial import mistakes

ROOT = Path(__file__).resolve().parent.parent
HIDDEN = {"solution", "remove-cell"}
LINK = re.compile(r"\[([^]]+)\]\(\.\./[^)]+\)")
SOLUTION = re.compile(
    r"### BEGIN SOLUTION\n(.*?)\n+### END SOLUTION\n", re.DOTALL
)
LICENSES = ("LICENSE", "LICENSE-text")
STUDENT_README = """\
# Diffusion Lite: labs for students

You need Python 3.11 or newer, 2 GB of disk, and a network for the
installation. Try it before the first meeting. Unpack the zip into a folder
with a short path, open a terminal there, and type

    python3 -m venv .venv
    .venv/bin/pip install -r requirements.txt
    .venv/bin/jupyter lab notebooks

The next time, the last line is enough. Ctrl-C in the terminal ends it.

On Windows it is `py -m venv .venv`, then `.venv\\Scripts\\pip` and
`.venv\\Scripts\\jupyter`. On Linux without a GPU, type this first, or you load
gigabytes that you do not need:

    export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu

The labs lean on the chapters of the book: ask your teacher where it is. Do
the labs in the order of their numbers, each from its first cell on.

Where an exercise says `raise NotImplementedError`, write your own lines;
where it says that there is a bug, find it. Then run the cell with `check`
below: it says "Right", or what the answer looks like. Each exercise has three
hints; open one at a time.
"""
NBGRADER = """\
c = get_config()
c.CourseDirectory.course_id = "diffusion-lite"
c.ClearSolutions.code_stub = {"python": "# Write above this line."}
"""
TEACHER_INTRO = """\
# Solutions

For teachers: every exercise that checks itself, with its hints, what the
reader is given, a solution, and the likely mistakes. Under each mistake
stands what `check` says of it. The last page is the rubric of the open
experiments.
"""


def main() -> None:
    """Make the edition that is asked for."""
    makers = {"student": student, "teacher": teacher}
    if len(sys.argv) != 2 or sys.argv[1] not in makers:
        sys.exit(f"Name one edition: {' or '.join(makers)}.")
    name = sys.argv[1]
    folder = ROOT / "_build" / name
    shutil.rmtree(folder, ignore_errors=True)
    makers[name](ROOT, folder)
    shutil.make_archive(str(folder), "zip", folder.parent, name)
    print(f"The {name} edition is in {folder}, and in {folder.name}.zip")


# ---- for students -----------------------------------------------------------


def student(root: Path, folder: Path) -> None:
    """Write what a student needs, and nothing that tells a solution."""
    (folder / "notebooks").mkdir(parents=True)
    for path in labs(root):
        lab = student_lab(nbformat.read(path, as_version=4))
        nbformat.write(lab, folder / "notebooks" / path.name)
    build_wheel(root, folder)
    (wheel,) = folder.glob("*.whl")
    needed = [*student_pins(root), f"./{wheel.name}", ""]
    (folder / "requirements.txt").write_text("\n".join(needed))
    (folder / "README.md").write_text(STUDENT_README)
    for name in LICENSES:
        shutil.copy(root / name, folder)


def labs(root: Path) -> list[Path]:
    """Return the full labs."""
    return sorted(root.glob("notebooks/*.ipynb"))


def student_lab(lab: NotebookNode) -> NotebookNode:
    """Return a lab without solutions, outputs, and links that lead nowhere."""
    cells = [
        student_cell(cell) for cell in lab.cells if not HIDDEN & tags(cell)
    ]
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": lab.metadata.kernelspec}
    )


def student_cell(cell: NotebookNode) -> NotebookNode:
    """Return a new cell with a cell's text, and its tags at most."""
    kept = {"id": cell.id, "metadata": {}}
    if cell.cell_type == "markdown":
        text = LINK.sub(r"\1", cell.source)
        return nbformat.v4.new_markdown_cell(text, **kept)
    if mine := tags(cell) & {"exercise", "check"}:
        kept["metadata"] = {"tags": sorted(mine)}
    return nbformat.v4.new_code_cell(cell.source, **kept)


def tags(cell: NotebookNode) -> set[str]:
    """Return a cell's tags."""
    return set(cell.metadata.get("tags", []))


def student_pins(root: Path) -> list[str]:
    """Return the lines of the lock that pin the package's and labs' needs."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["labs"]
    needed = {re.match(r"[\w-]+", line)[0] for line in lines}
    lock = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lock if line.split("==")[0] in needed]


def build_wheel(root: Path, folder: Path) -> None:
    """Build the package's wheel into a folder, from a copy of its files."""
    source = folder / "source"
    shutil.copytree(root / "diffusion_lite", source / "diffusion_lite")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    run = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"]
    run += ["--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    if subprocess.call(run):
        sys.exit("The wheel was not built: the errors are above.")
    shutil.rmtree(source)


# ---- for teachers -----------------------------------------------------------


@dataclass(frozen=True)
class Exercise:
    """An exercise of a lab, with all that a teacher may want to see."""

    name: str  # "forward-1"
    task: str  # Markdown, with the hints folded
    given: str  # code
    solution: str  # code


def exercises(lab: NotebookNode) -> Iterator[Exercise]:
    """Yield the exercises of a lab that check themselves."""
    found = {}
    for cell in lab.cells:
        for kind in {cell.cell_type, *tags(cell)}:
            found[kind] = cell.source
        if "solution" in tags(cell):
            (line,) = ast.parse(found["check"]).body
            yield Exercise(
                line.value.args[0].value,
                found["markdown"][found["markdown"].index("### Exercise") :],
                found["exercise"],
                SOLUTION.match(cell.source)[1],
            )


def teacher(root: Path, folder: Path) -> None:
    """Write the full labs, those for nbgrader, and the book of solutions."""
    (folder / "notebooks").mkdir(parents=True)
    for path in labs(root):
        shutil.copy(path, folder / "notebooks")
        source = folder / "nbgrader" / "source" / path.stem
        source.mkdir(parents=True)
        lab = nbgrader_lab(nbformat.read(path, as_version=4), path.stem)
        nbformat.write(lab, source / path.name)
    (folder / "nbgrader" / "nbgrader_config.py").write_text(NBGRADER)
    source = folder / "source"
    solution_book(root, source)
    command = Path(sys.executable).with_name("jupyter-book")
    run = [command, "build", source, "-W", "-n", "--keep-going", "--quiet"]
    if subprocess.call(run):
        sys.exit("The book of solutions was not built: the errors are above.")
    shutil.move(source / "_build" / "html", folder / "solutions")
    shutil.rmtree(source)
    for name in LICENSES:
        shutil.copy(root / name, folder)


def nbgrader_lab(lab: NotebookNode, stem: str) -> NotebookNode:
    """Return a lab as nbgrader wants it.

    What is given and its solution become one cell, so that students write
    where the stub or the bug is; the check below is worth a point.
    """
    cells, held = [], []
    for cell in lab.cells:
        mine = tags(cell)
        if mine & {"exercise", "check"}:
            held.append(cell)
        elif "solution" in mine:
            given, check_cell = held[-2:]
            solution = SOLUTION.match(cell.source)[0]
            given.source = f"{given.source}\n\n\n{solution}".rstrip()
            check_cell.source = f"assert (said := {check_cell.source}), said"
            for each, grade in ((given, False), (check_cell, True)):
                each.metadata = nbgrader_marks(f"{stem}-{len(cells)}", grade)
                cells.append(each)
        elif "remove-cell" not in mine:
            cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=lab.metadata)


def nbgrader_marks(name: str, grade: bool) -> dict:
    """Return the metadata of a cell to write in, or of one that grades."""
    marks = {"schema_version": 3, "cell_type": "code", "task": False}
    marks |= {"solution": not grade, "grade": grade, "locked": grade}
    return {"nbgrader": marks | {"grade_id": name, "points": int(grade)}}


def solution_book(root: Path, source: Path) -> None:
    """Write the pages of the book of solutions, ready to be built."""
    shutil.copytree(root / "book" / "_static", source / "book" / "_static")
    shutil.copy(root / "book" / "references.bib", source / "book")
    shutil.copy(root / "book" / "rubric.md", source)
    (source / "intro.md").write_text(TEACHER_INTRO)
    stems = [path.stem for path in labs(root)]
    for path in labs(root):
        lab = nbformat.read(path, as_version=4)
        parts = [solved(each) for each in exercises(lab)]
        title = f"# Chapter {int(path.stem[:2])}: {path.stem[3:]}"
        (source / f"{path.stem}.md").write_text("\n\n".join([title, *parts]))
    contents = {"format": "jb-book", "root": "intro"}
    contents["chapters"] = [{"file": name} for name in [*stems, "rubric"]]
    (source / "_toc.yml").write_text(yaml.safe_dump(contents))
    config = yaml.safe_load((root / "_config.yml").read_text())
    config["title"] += ": solutions"
    config["execute"] = {"execute_notebooks": "off"}
    ours = dict.fromkeys(config["sphinx"]["local_extensions"], root / "tools")
    config["sphinx"]["local_extensions"] = {k: str(v) for k, v in ours.items()}
    (source / "_config.yml").write_text(yaml.safe_dump(config))


def solved(exercise: Exercise) -> str:
    """Return an exercise, its solution and its likely mistakes, in MyST."""
    told = [
        f"`{answer.__name__}`\n: {plain(check(exercise.name, answer).text)}"
        for answer in mistakes(exercise.name)
    ]
    return "\n\n".join(
        [
            exercise.task.replace("### ", "## ", 1),
            f"**Given**\n\n```python\n{exercise.given}\n```",
            f"**Solution**\n\n```python\n{exercise.solution}\n```",
            "**Likely mistakes, and what each is told**",
            *told,
        ]
    )


def plain(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>$|~#])", r"\\\1", text)


if __name__ == "__main__":
    main()
