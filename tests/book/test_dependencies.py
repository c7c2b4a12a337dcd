"""One list of what each part needs, one lock, and what is imported where.

The lists are in pyproject.toml and classroom/pyproject.toml, the lock is
requirements.txt.
"""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "diffusion_lite"
OURS = {"diffusion_lite", "diffusion_lite_classroom", "experiments"}
# These show something, or are answers as a student of the labs writes them.
NEED_THE_LABS = {"plotting.py", "explorables", "mistakes"}


def lists(file):
    """Return {name of a list: its requirements}; the hard one is ''."""
    project = tomllib.loads(file.read_text("utf-8"))
    found = {"": project["project"]["dependencies"]}
    found |= project["project"]["optional-dependencies"]
    found["to build"] = project["build-system"]["requires"]
    return {k: [Requirement(line) for line in v] for k, v in found.items()}


LISTS = lists(ROOT / "pyproject.toml")
CLASSROOM = lists(ROOT / "classroom" / "pyproject.toml")
LOCK = [
    line
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    if line and line[0] != "#"
]
PINS = {
    canonicalize_name(pin.name): pin
    for pin in (Requirement(line) for line in LOCK if line[0] != "-")
}
MEANT = [*LISTS.values(), CLASSROOM[""]]
"""Of the classroom's lists, the hub's is its own lock."""


def names(*requirements):
    """Return the canonical names of some lists' packages."""
    found = {canonicalize_name(r.name) for each in requirements for r in each}
    return found - {"diffusion-lite"}


# ---- the lists and the lock ------------------------------------------------


def test_the_package_needs_four_others():
    assert names(LISTS[""]) == {
        "numpy",
        "safetensors",
        "scikit-learn",
        "torch",
    }


def test_the_lock_pins_what_the_lists_name_within_their_ranges():
    for each in MEANT:
        for needed in each:
            if needed.name != "diffusion-lite":
                pin = PINS[canonicalize_name(needed.name)]
                (exact,) = pin.specifier
                assert exact.operator == "=="
                assert exact.version in needed.specifier, needed


def test_the_lock_pins_nothing_else_but_one_that_another_brings_along():
    brought = PINS.keys() - names(*MEANT)
    assert brought == {"pydata-sphinx-theme"}
    theme = requires("sphinx-book-theme")
    assert brought <= {canonicalize_name(Requirement(r).name) for r in theme}


def test_a_package_stands_in_one_list():
    found = [needed.name for each in MEANT for needed in each]
    twice = {name for name in found if found.count(name) > 1}
    assert twice == {"diffusion-lite", "setuptools"}


def test_the_lock_installs_the_package_and_the_grader():
    """The last extra holds the others, so pip too compares ranges, pins."""
    assert LOCK[-2:] == ["-e .[test]", "-e ./classroom"]
    assert [str(LISTS[extra][0]) for extra in ("book", "test")] == [
        "diffusion-lite[labs]",
        "diffusion-lite[book]",
    ]
    assert str(CLASSROOM[""][0]) == "diffusion-lite[labs]"


def test_no_other_file_repeats_a_pin_but_the_hub():
    """pre-commit's are held against the lock in test_book.py."""
    assert all(str(r.specifier)[:2] == "==" for r in CLASSROOM["hub"])
    assert not names(CLASSROOM["hub"]) & PINS.keys()
    for file in ROOT.glob(".binder/*"):
        assert not re.search(r"\w==", file.read_text("utf-8"))


# ---- what is imported where ------------------------------------------------


def imported(program, everywhere=True):
    """Return what other packages a program imports.

    Args:
        program: Its text.
        everywhere: Count what is imported within functions, too.
    """
    found = set()
    for node in statements(ast.parse(program), everywhere):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    tops = {name.split(".")[0] for name in found}
    return tops - OURS - sys.stdlib_module_names


def statements(tree, everywhere):
    """Yield the statements that are run when a module is imported, or all."""
    for node in ast.iter_child_nodes(tree):
        runs = not isinstance(node, ast.FunctionDef | ast.Lambda)
        if everywhere or (runs and not is_for_types(node)):
            yield node
            yield from statements(node, everywhere)


def is_for_types(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == (
        "TYPE_CHECKING"
    )


distributions = cache(packages_distributions)


def strangers(modules, *allowed):
    """Return which modules no package of the allowed lists brings."""
    known = names(*allowed)
    brings = distributions()
    return {
        module
        for module in modules
        if not known & {canonicalize_name(n) for n in brings.get(module, [])}
    }


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not NEED_THE_LABS & set(path.relative_to(PACKAGE).parts)
    ],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_a_module_without_figures_is_imported_with_the_hard_list(path):
    modules = imported(code(path), everywhere=False)
    assert not strangers(modules, LISTS[""])


def test_what_an_import_runs_is_told_from_what_a_call_runs():
    program = (
        "import a.b\n"
        "if TYPE_CHECKING:\n    import c\n"
        "class D:\n    from e import f\n    def g(self):\n        import h\n"
        "try:\n    import i\nexcept ImportError:\n    import j\n"
    )
    assert imported(program, everywhere=False) == {"a", "e", "i", "j"}
    assert imported(program) == {"a", "c", "e", "h", "i", "j"}


def code(path):
    """Return what a file runs: of a lab and of a page, its cells."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        return "\n".join(c.source for c in cells if c.cell_type == "code")
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        return text
    head = r"(?:---\n.*?\n---\n)?(?::[^\n]*\n)*"
    cells = rf"^```\{{code-cell\}}[^\n]*\n{head}(.*?)^```"
    return "\n".join(re.findall(cells, text, re.M | re.S))


# A hidden cell of a lab hands numbers to its page; a student has none of it,
# which test_editions.py shows.
BOOK = ("", "labs", "book")
PLACES = {
    "diffusion_lite/**/*.py": ("", "labs"),
    "experiments/**/*.py": ("", "labs"),
    "notebooks/*.ipynb": BOOK,
    "book/*.md": BOOK,
    "tools/*.py": BOOK,
    "tests/**/*.py": (*BOOK, "test"),
    "classroom/class_of_60.py": (*BOOK, "test"),
}
BESIDE = {
    path.stem for path in [*ROOT.glob("tools/*"), *ROOT.glob("tests/*/*")]
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_imported_stands_in_a_list(place):
    for path in ROOT.glob(place):
        modules = imported(code(path)) - BESIDE
        allowed = [LISTS[name] for name in PLACES[place]]
        assert not strangers(modules, *allowed), path.name


def test_a_page_runs_its_cells_alone():
    text = code(ROOT / "book" / "01_forward.md")
    assert "import torch" in text
    assert "# " not in text.splitlines()[0]
    assert ":tags:" not in text
    assert len(imported(text)) > 1


def test_what_the_grader_imports_stands_in_its_list():
    for path in ROOT.glob("classroom/diffusion_lite_classroom/*.py"):
        allowed = [CLASSROOM[""], LISTS[""], LISTS["labs"]]
        assert not strangers(imported(code(path)), *allowed), path.name
