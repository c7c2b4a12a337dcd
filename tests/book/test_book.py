"""The structure of the house: what goes where, and what may lean on what."""

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import ledger

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "diffusion_lite"
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"
)
TOOLS = sorted((ROOT / "tools").glob("*.py"))
NUMBERED = sorted(
    [*ROOT.glob("book/[0-9]*.md"), *ROOT.glob("notebooks/[0-9]*.ipynb")]
)
# A chapter whose leading module has another name: one asks, the other answers.
LEADS = {
    "contest": "metrics",
    "denoiser": "networks",
    "families": "vae",
    "fast": "solvers",
}
MACHINE_PATH = re.compile(rb"(?<![\w.:/])/(?:home|root|Users|work|tmp)/\w")


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name(path):
    """Return a module's name on the map: a subpackage counts as one."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_map():
    """Return (floor, module) for each line of the map in __init__.py."""
    found, floor = [], None
    for line in ast.get_docstring(parse(PACKAGE / "__init__.py")).splitlines():
        if match := re.match(r"(?:(\d+)\.|  ) +``(\w+)``", line):
            floor = floor if match[1] is None else int(match[1])
            found.append((floor, match[2]))
    return found


def imported(path):
    """Yield the modules of the package that a file imports."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            if node.module == "diffusion_lite":
                yield from (alias.name for alias in node.names)
            elif node.module.startswith("diffusion_lite."):
                yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("diffusion_lite."):
                    yield alias.name.split(".")[1]


def test_the_module_map_names_every_module_once():
    assert sorted(module for _, module in module_map()) == sorted(
        {name(path) for path in MODULES}
    )


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_imports_only_from_floors_below(path):
    floor = {module: floor for floor, module in module_map()}
    for other in imported(path):
        if other != name(path):
            assert floor[other] < floor[name(path)], (
                f"{name(path)}.py (floor {floor[name(path)]}) imports "
                f"{other}.py (floor {floor[other]})"
            )


def test_the_package_itself_only_has_its_map():
    (docstring,) = parse(PACKAGE / "__init__.py").body
    assert isinstance(docstring, ast.Expr)


def test_the_formulas_need_no_plotting():
    heavy = {"matplotlib", "ipywidgets", "anywidget", "sklearn"}
    program = (
        "import sys, diffusion_lite.forward, diffusion_lite.posterior; "
        f"sys.exit(', '.join({heavy!r} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_has_its_tests(path):
    assert list((ROOT / "tests").glob(f"*/test_{name(path)}.py"))


@pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.name)
def test_a_page_or_lab_has_its_module(path):
    _, stem = path.stem.split("_", 1)
    assert (PACKAGE / f"{LEADS.get(stem, stem)}.py").exists()


def test_a_chapter_number_has_one_stem():
    stems = {path.stem for path in NUMBERED}
    assert len(stems) == len({stem.split("_")[0] for stem in stems})


def functions(files):
    """Yield the functions; mistakes, of a line or two, prove no style."""
    for path in files:
        if path.parent.name == "mistakes":
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.name}: {node.name}", node


def body_lines(node):
    """Count the lines of a function after its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return node.end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("files", [MODULES, TOOLS], ids=["package", "tools"])
def test_functions_are_small(files):
    lengths = {name: body_lines(node) for name, node in functions(files)}
    long = [name for name, length in lengths.items() if length > 20]
    assert max(lengths.values()) <= 40
    assert statistics.median(lengths.values()) <= 8
    assert len(long) <= len(lengths) / 10, f"more than 20 lines: {long}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_lines_fit_the_page(path):
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        assert len(line) <= 79, f"{path.name}, line {number}"


def test_the_ledger_balances():
    assert ledger.collect(ROOT).faults == []


def tracked_files():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if listing.returncode:
        pytest.skip("this is not a git checkout")
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.exists()]


def test_no_file_names_a_place_on_one_machine():
    for path in tracked_files():
        found = MACHINE_PATH.search(path.read_bytes())
        assert not found, f"{path.relative_to(ROOT)}: {found[0].decode()}"


def pins():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def test_pre_commit_uses_the_pinned_versions():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    for repo in config["repos"]:
        for hook in repo["hooks"]:
            for pin in hook["additional_dependencies"]:
                package, version = pin.split("==")
                assert pins()[package] == version


def test_scripts_run_where_git_turns_line_ends(tmp_path):
    tracked_files()  # skips where this is no git checkout
    turned = ["-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    clone = ["git", *turned, "clone", "--quiet", *turned, str(ROOT), "clone"]
    subprocess.run(clone, cwd=tmp_path, check=True)
    files = [p for p in (tmp_path / "clone").rglob("*") if p.is_file()]
    texts = [p.read_bytes() for p in files if ".git" not in p.parts]
    texts = [text for text in texts if b"\0" not in text]
    assert len(texts) > 100
    assert not any(b"\r\n" in text for text in texts)
    script = tmp_path / "clone" / ".ci" / "run"
    subprocess.run(["bash", "-n", script], check=True)


def test_the_first_page_and_the_teachers_list_every_chapter():
    for page in ("intro", "teaching"):
        text = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
        rows = [line for line in text.splitlines() if line.startswith("|")]
        for chapter in ROOT.glob("book/[0-9]*.md"):
            named = [row for row in rows if f"<{chapter.stem}>`" in row]
            assert named, f"{page}: no row for {chapter.stem}"
