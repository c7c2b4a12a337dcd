"""The equation ledger: every equation with its function and its test.

Three things carry an equation's label, and this script brings them together:

- the page:      $$ ... $$ (eq-alpha-bar)
- the function:  a line "Book: eq-alpha-bar" in its docstring
- the test:      @pytest.mark.equation("eq-alpha-bar", oracle="a plain loop")

``python tools/ledger.py`` writes book/ledger.md, or prints what does not
match, a line a fault, and exits with 1.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

EQUATION = re.compile(
    r"\$\$((?:(?!\$\$).)*)\$\$ *\(([^()\s]+)\) *$", re.M | re.S
)
DISPLAY = re.compile(r"\$\$(?:(?!\$\$).)*\$\$ *[^\n]*", re.S)
OTHER_FORM = re.compile(
    r"^[ >]*(`{3,}\{math\}|:{3,}\{math\}"
    r"|\\begin\{(?:align|equation|gather|multline)\})",
    re.M,
)
BOOK = re.compile(r"\bBook: *(eq-[\w-]+(?:, *eq-[\w-]+)*)")

INTRO = """\
# The equation ledger

Every numbered equation of the book is here, with a function that computes it
or the quantity that it leads to, and a test of that function. Each test
calculates independently of the function; the *oracle* says how. The page is
made when the book is built, and a numbered equation without a function or
without a test stops the build.
"""


@dataclass(frozen=True)
class Equation:
    """A labelled equation on a page."""

    label: str
    tex: str
    page: str


@dataclass(frozen=True)
class Source:
    """A function or a test that names an equation."""

    file: str
    name: str
    oracle: str = ""


@dataclass
class Ledger:
    """What the pages, the package and the tests say, and what is wrong."""

    equations: dict[str, Equation] = field(default_factory=dict)
    functions: dict[str, list[Source]] = field(default_factory=dict)
    tests: dict[str, list[Source]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def collect(root: Path) -> Ledger:
    """Read the book, the package and the tests under root."""
    ledger = Ledger()
    for path in sorted((root / "book").glob("*.md")):
        if path.name != "ledger.md":
            _read_page(ledger, path)
    for path in sorted((root / "diffusion_lite").rglob("*.py")):
        _read_module(ledger, path.relative_to(root).as_posix(), path)
    for path in sorted((root / "tests").rglob("test_*.py")):
        _read_tests(ledger, path.relative_to(root).as_posix(), path)
    _compare(ledger)
    return ledger


def _read_page(ledger: Ledger, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    page = f"book/{path.name}"
    title = re.search(r"^# +(.+)$", text, re.M)
    ledger.titles[page] = title[1] if title else path.stem
    for form in OTHER_FORM.findall(text):
        ledger.faults.append(f"{page}: write $$ ... $$ instead of {form}")
    for display in DISPLAY.findall(text):
        if not EQUATION.search(display):
            start = " ".join(display.split())[:40]
            ledger.faults.append(f"{page}: no label (eq-...) after {start}")
    for tex, label in EQUATION.findall(text):
        if label in ledger.equations:
            first = ledger.equations[label].page
            ledger.faults.append(f"{page}: {label} is already in {first}")
        else:
            lines = [line.strip(" >") for line in tex.strip().splitlines()]
            equation = Equation(label, "\n".join(lines), page)
            ledger.equations[label] = equation


def _read_module(ledger: Ledger, file: str, path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), file)
    for name, node in _definitions(tree):
        docstring = " ".join((ast.get_docstring(node) or "").split())
        for labels in BOOK.findall(docstring):
            for label in re.split(", *", labels):
                source = Source(file, name)
                ledger.functions.setdefault(label, []).append(source)


def _read_tests(ledger: Ledger, file: str, path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), file)
    for name, node in _definitions(tree):
        for mark in node.decorator_list:
            if not ast.unparse(mark).startswith("pytest.mark.equation"):
                continue
            match mark:
                case ast.Call(
                    args=[ast.Constant(str(label))],
                    keywords=[
                        ast.keyword("oracle", ast.Constant(str(oracle)))
                    ],
                ):
                    source = Source(file, name, oracle)
                    ledger.tests.setdefault(label, []).append(source)
                case _:
                    ledger.faults.append(
                        f"{file}: {name} must be marked "
                        '@pytest.mark.equation("eq-name", oracle="in words")'
                    )


def _definitions(
    node: ast.AST, prefix: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Yield each function and class, with its name as in Class.method."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield prefix + child.name, child
            yield from _definitions(child, f"{prefix}{child.name}.")


def _compare(ledger: Ledger) -> None:
    for label, equation in ledger.equations.items():
        if label not in ledger.functions:
            ledger.faults.append(
                f"{equation.page}: {label} has no function: write "
                f'"Book: {label}" in the docstring of the one that computes it'
            )
        if label not in ledger.tests:
            ledger.faults.append(
                f"{equation.page}: {label} has no test: mark one with "
                f'@pytest.mark.equation("{label}", oracle="...")'
            )
    for named in (ledger.functions, ledger.tests):
        for label in named.keys() - ledger.equations.keys():
            for source in named[label]:
                ledger.faults.append(
                    f"{source.file}: {source.name} names {label}, "
                    "which is on no page"
                )
    ledger.faults.sort()


def render(ledger: Ledger) -> str:
    """Return the ledger's page in MyST Markdown."""
    parts = [INTRO]
    page = None
    for label, equation in ledger.equations.items():
        if equation.page != page:
            page = equation.page
            parts.append(f"## {ledger.titles[page]}\n")
        parts.append(f":::::{{card}} Equation {{eq}}`{label}`\n")
        parts.append(f"$$\n{equation.tex}\n$$\n")
        for source in ledger.functions[label]:
            parts += _folded("Function", source)
        for source in ledger.tests[label]:
            parts += _folded(f"Test against {source.oracle}:", source)
        parts.append(":::::\n")
    return "\n".join(parts)


def _folded(title: str, source: Source) -> list[str]:
    return [
        f"::::{{dropdown}} {title} `{source.name}` in `{source.file}`",
        f"```{{literalinclude}} /{source.file}",
        f":pyobject: {source.name}",
        ":dedent:",
        "```",
        "::::\n",
    ]


def write(root: Path) -> list[str]:
    """Write root/book/ledger.md if it changed; return the faults instead."""
    ledger = collect(root)
    if ledger.faults:
        return ledger.faults
    path = root / "book" / "ledger.md"
    text = render(ledger)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return []


if __name__ == "__main__":
    sys.exit("\n".join(write(ROOT)) or 0)
