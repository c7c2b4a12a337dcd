"""The labs: stored without outputs, of readable size, set up alike."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LABS = sorted(ROOT.glob("notebooks/*.ipynb"))
ROLE = re.compile(r"\{[a-z:]+\}`")

each_lab = pytest.mark.parametrize("path", LABS, ids=lambda path: path.name)


def cells(path, kind):
    lab = nbformat.read(path, as_version=4)
    return [cell for cell in lab.cells if cell.cell_type == kind]


def test_there_are_labs():
    assert LABS


@each_lab
def test_a_lab_is_a_valid_notebook_for_python(path):
    lab = nbformat.read(path, as_version=4)
    nbformat.validate(lab)
    assert lab.metadata.kernelspec.name == "python3"
    assert lab.metadata.kernelspec.language == "python"


@each_lab
def test_a_lab_stores_no_outputs(path):
    for number, cell in enumerate(cells(path, "code"), 1):
        if "keep_output" not in cell.metadata.get("tags", []):
            assert not cell.outputs, f"code cell {number} has outputs"
            assert cell.execution_count is None, f"code cell {number}"


@each_lab
def test_a_lab_has_15_to_32_cells_besides_exercises(path):
    lab = nbformat.read(path, as_version=4)
    of_exercises = {"exercise", "solution", "check"}
    tags = [set(cell.metadata.get("tags", [])) for cell in lab.cells]
    assert 15 <= sum(not of_exercises & each for each in tags) <= 32


@each_lab
def test_a_cell_has_at_most_25_lines(path):
    for number, cell in enumerate(cells(path, "code"), 1):
        assert len(cell.source.splitlines()) <= 25, f"code cell {number}"


@each_lab
def test_the_setup_cell_is_the_same_in_every_lab(path):
    assert cells(path, "code")[0].source == cells(LABS[0], "code")[0].source


@each_lab
def test_a_lab_is_plain_markdown(path):
    """A MyST role or a label would show as raw text in JupyterLab."""
    for cell in cells(path, "markdown"):
        assert not ROLE.search(cell.source), cell.source
        assert not re.search(r"\$\$ *\(eq-", cell.source), cell.source


@each_lab
def test_a_page_has_the_exercises_of_its_lab(path):
    """The same titles in one order, so that both number them alike."""
    lab = "\n".join(cell.source for cell in cells(path, "markdown"))
    chapter = int(path.stem[:2])
    titles = re.findall(rf"^#+ Exercise {chapter}\.(\d).*?: (.*)$", lab, re.M)
    titles += re.findall(rf"\*\*{chapter}\.(\d), (.*?)[:?.]?\*\*", lab)
    page = (ROOT / "book" / f"{path.stem}.md").read_text(encoding="utf-8")
    on_page = re.findall(r"^`{3,4}\{exercise\} (.*)$", page, re.M)
    assert [int(number) for number, _ in titles] == [
        *range(1, len(on_page) + 1)
    ]
    assert [title.lower().strip("?") for _, title in titles] == [
        title.lower().strip("?") for title in on_page
    ]
    links = re.findall(rf"\(\.\./notebooks/{path.name}#([\w-]+)\)", page)
    assert len(links) == len(on_page)


OPEN = re.compile(
    r"(?:Exercise |\*\*)(\d+\.\d), (?:an open experiment: )?"
    r"(.+?):?(?:\*\*|$)",
    re.M,
)


def test_the_rubric_has_every_open_experiment_by_its_number():
    rubric = (ROOT / "book" / "rubric.md").read_text(encoding="utf-8")
    asked = [
        found.groups()
        for path in LABS
        for cell in cells(path, "markdown")
        if "open experiment" in cell.source
        for found in OPEN.finditer(cell.source)
    ]
    assert asked == re.findall(r"^(\d+\.\d), (.+)$", rubric, re.M)
