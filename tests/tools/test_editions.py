"""The editions: nothing leaks, and what a student writes is checked."""

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import matplotlib
import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement

import editions
from diffusion_lite.exercises import names

ROOT = Path(__file__).resolve().parent.parent.parent
LABS = editions.labs(ROOT)

CLEARED = re.compile(  # what nbgrader takes out
    r"### BEGIN SOLUTION.*### END SOLUTION", re.DOTALL
)

each_lab = pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def solution_lines(lab):
    """Return the lines of code that solutions have and no other cell.

    What a hint says word by word is no secret.
    """
    shown = "\n".join(
        cell.source
        for path in LABS
        for cell in read(path).cells
        if "solution" not in editions.tags(cell)
    )
    lines = {
        line.strip()
        for cell in lab.cells
        if "solution" in editions.tags(cell)
        for line in cell.source.splitlines()
    }
    return {line for line in lines if len(line) > 12 and line not in shown}


def texts(thing):
    """Yield every text within nested lists and dictionaries."""
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from texts(key)
            yield from texts(value)
    elif isinstance(thing, list):
        yield from texts("".join(filter(lambda x: isinstance(x, str), thing)))
        for value in thing:
            yield from texts(value)


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """Return the folder of a student's edition."""
    folder = tmp_path_factory.mktemp("edition") / "student"
    editions.student(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def installed(student, tmp_path_factory):
    """Return a folder in which the package lies as its wheel installs it."""
    place = tmp_path_factory.mktemp("installed")
    (wheel,) = student.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet"]
    subprocess.run([*pip, "--target", place, wheel], check=True)
    return place


@each_lab
def test_no_solution_leaks(path, student):
    secret = solution_lines(read(path))
    assert len(secret) >= 4, "a test that finds nothing must not pass"
    for file in student.rglob("*"):
        if file.suffix in {".ipynb", ".md", ".txt"}:
            text = file.read_text()
            found = [text] if file.suffix != ".ipynb" else []
            if file.suffix == ".ipynb":
                found = list(texts(json.loads(text)))
            for line in secret:
                assert not any(line in each for each in found), line


def test_a_leak_is_found_wherever_it_hides(student):
    secret = "return schedule.alpha_bar[t] * c + 1 - schedule.alpha_bar[t]"
    assert secret in solution_lines(read(LABS[0]))
    for hidden in (
        {"cells": [{"metadata": {"note": secret}}]},
        {"cells": [{"source": ["def f():\n", f"    {secret}\n"]}]},
        {"metadata": {"widgets": {"state": {"1": {"value": secret}}}}},
        {"cells": [{"outputs": [{"text": secret}]}]},
    ):
        assert any(secret in text for text in texts(hidden))


@each_lab
def test_a_student_lab_is_new(path, student):
    full, lab = read(path), read(student / "notebooks" / path.name)
    nbformat.validate(lab)
    assert set(lab.metadata) == {"kernelspec"}
    for cell in lab.cells:
        assert set(cell.metadata) <= {"tags"}
        assert "](../" not in cell.source
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
    kinds = [editions.tags(cell) for cell in lab.cells]
    assert kinds.count({"exercise"}) == kinds.count({"check"}) >= 4
    hints = sum(cell.source.count("<summary>Hint") for cell in full.cells)
    assert hints == sum(c.source.count("<summary>Hint") for c in lab.cells)
    assert hints == 3 * kinds.count({"exercise"})


def test_what_a_lab_imports_is_installed(student):
    lines = (student / "requirements.txt").read_text().splitlines()
    pinned = [line for line in lines if line and line[0] not in "#."]
    known = {Requirement(line).name for line in pinned}
    modules = {"pillow": "PIL", "scikit-learn": "sklearn"}
    known = {modules.get(name, name) for name in known}
    known |= {"diffusion_lite", *sys.stdlib_module_names}
    for path in student.glob("notebooks/*.ipynb"):
        for cell in read(path).cells:
            if cell.cell_type == "code":
                for node in ast.walk(ast.parse(cell.source)):
                    if isinstance(node, ast.ImportFrom):
                        assert node.module.split(".")[0] in known
                    elif isinstance(node, ast.Import):
                        assert node.names[0].name.split(".")[0] in known


def test_the_wheel_has_the_package_and_no_solutions(student):
    (wheel,) = student.glob("*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    assert "diffusion_lite/exercises/trial.py" in inside
    assert "diffusion_lite/explorables/forward.js" in inside
    tops = {name.split("/")[0] for name in inside}
    assert len(tops) == 2  # the package, and what pip wants to know of it
    stems = {Path(name).stem for name in inside}
    assert not stems & {"grade", "sandbox", "worker", "verdicts", "results"}
    assert not any("experiments" in name for name in inside)
    assert not [name for name in inside if name.endswith(".ipynb")]


def test_another_edition_is_refused():
    run = [sys.executable, ROOT / "tools" / "editions.py", "parents"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "Name one edition: student or teacher.\n"


# ---- with the installed wheel -----------------------------------------------


@pytest.fixture
def with_wheel(installed, monkeypatch):
    """Let a new process find the package where the wheel put it."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("QUICK", "1")
    return installed


def first_stub(lab):
    """Return the number of the first cell whose function is not written."""
    return next(
        number
        for number, cell in enumerate(lab.cells)
        if "NotImplementedError" in cell.source
    )


@pytest.mark.slow
@each_lab
def test_a_student_lab_runs_up_to_its_first_stub(path, student, with_wheel):
    lab = read(student / "notebooks" / path.name)
    stub = first_stub(lab)
    call = ast.parse(lab.cells[stub].source).body[-1].name
    lab.cells = lab.cells[: stub + 2]  # with its check
    where = "import diffusion_lite; print(diffusion_lite.__file__)"
    lab.cells.append(nbformat.v4.new_code_cell(where))
    lab.cells.append(nbformat.v4.new_code_cell(f"{call}(*range(9))"))
    client = NotebookClient(lab, timeout=300)
    with pytest.raises(CellExecutionError):
        client.execute()
    check, place, error = (cell.outputs[0] for cell in lab.cells[-3:])
    assert check["data"]["text/plain"].startswith(
        "Not yet. It still has to be written"
    )
    assert place["text"].startswith(str(with_wheel))
    assert error["ename"] in {"NotImplementedError", "TypeError"}


@pytest.mark.slow
def test_pasted_solutions_pass_every_check(with_wheel, student, tmp_path):
    """The student's own cells, each stub replaced by the full lab's cell."""
    passed = []
    for path in LABS:
        answers = iter(editions.exercises(read(path)))
        lab = read(student / "notebooks" / path.name)
        code = [cell for cell in lab.cells if cell.cell_type == "code"]
        lines = [code[0].source, code[1].source]
        for cell in code[2:]:
            if "exercise" in editions.tags(cell):
                lines += [cell.source, next(answers).solution]
            if "check" in editions.tags(cell):
                lines.append(f"print({cell.source!r}, {cell.source})")
        program = tmp_path / f"{path.stem}.py"
        program.write_text("\n".join(lines))
        environment = {**os.environ, "MPLBACKEND": "Agg"}
        done = subprocess.run(
            [sys.executable, program],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        passed += [
            line for line in done.stdout.splitlines() if ") Right: " in line
        ]
    assert len(passed) == len(names()), passed


# ---- for teachers -----------------------------------------------------------


@each_lab
def test_nbgrader_is_given_answers_and_what_grades_them(path):
    lab = editions.nbgrader_lab(read(path), path.stem)
    nbformat.validate(lab)
    marked = [c for c in lab.cells if "nbgrader" in c.metadata]
    marks = [cell.metadata.nbgrader for cell in marked]
    assert [each.grade for each in marks] == [False, True] * (len(marks) // 2)
    assert all(each.solution != each.grade for each in marks)
    assert len({each.grade_id for each in marks}) == len(marks) >= 8

    space = {"__name__": "lab"}
    setup = [c.source for c in lab.cells if c.cell_type == "code"][:2]
    with matplotlib.rc_context():
        for source in (*setup, *(cell.source for cell in marked)):
            exec(source, space)  # each check asserts
    for answer, grades in zip(marked[::2], marked[1::2], strict=True):
        cleared = CLEARED.sub("", answer.source)
        assert cleared != answer.source
        exec(cleared, space)
        with pytest.raises(AssertionError, match="Not yet"):
            exec(grades.source, space)


@pytest.mark.slow
def test_a_teacher_gets_every_solution(tmp_path):
    editions.teacher(ROOT, tmp_path / "teacher")
    for path in LABS:
        copy = tmp_path / "teacher" / "notebooks" / path.name
        assert copy.read_bytes() == path.read_bytes()
        page = tmp_path / "teacher" / "solutions" / f"{path.stem}.html"
        text = page.read_text()
        for each in editions.exercises(read(path)):
            assert f'"{each.name}"' not in text  # the solution, not the call
            title = each.task.splitlines()[0].split(": ", 1)[1]
            assert title.split(",")[0].split("?")[0] in text
        assert text.count("It looks like") >= 4
    rubric = tmp_path / "teacher" / "solutions" / "rubric.html"
    assert "Prediction" in rubric.read_text()
