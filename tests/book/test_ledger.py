"""The equation ledger, on a small book of its own."""

import pytest

import ledger

PAGE = """\
# How noise is added

Some words.

An equation over two lines:

$$
x_t
= x_0 + \\epsilon
$$ (eq-jump)
"""

MODULE = '''\
def jump(x_0, eps):
    """Return x_t.

    Book: eq-jump. Source: nobody.
    """
    return x_0 + eps
'''

TEST = """\
import pytest

@pytest.mark.equation("eq-jump", oracle="a sum on paper")
def test_jump():
    pass
"""


@pytest.fixture
def book(tmp_path):
    """A book with one equation, one function and one test."""
    for name in ("book", "diffusion_lite", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "book" / "01_forward.md").write_text(PAGE)
    (tmp_path / "diffusion_lite" / "forward.py").write_text(MODULE)
    (tmp_path / "tests" / "test_forward.py").write_text(TEST)
    return tmp_path


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_page_brings_equation_function_and_test_together(book):
    assert ledger.write(book) == []
    page = (book / "book" / "ledger.md").read_text()
    assert "## How noise is added" in page
    assert "{eq}`eq-jump`" in page
    assert "$$\nx_t\n= x_0 + \\epsilon\n$$\n" in page
    assert "/diffusion_lite/forward.py\n:pyobject: jump" in page
    assert "Test against a sum on paper: `test_jump` in" in page
    assert "/tests/test_forward.py\n:pyobject: test_jump" in page
    assert "a = b" not in page


def test_the_page_is_rewritten_only_if_it_changes(book):
    ledger.write(book)
    page = book / "book" / "ledger.md"
    before = page.stat().st_mtime_ns
    ledger.write(book)
    assert page.stat().st_mtime_ns == before
    replace(book / "book" / "01_forward.md", "x_0 +", "x_0 -")
    ledger.write(book)
    assert "x_0 -" in page.read_text()


def test_a_book_without_equations_has_a_ledger(tmp_path):
    (tmp_path / "book").mkdir()
    assert ledger.write(tmp_path) == []
    assert (tmp_path / "book" / "ledger.md").exists()


@pytest.mark.parametrize("module", ["method", "property", "two labels"])
def test_docstrings_are_read_wherever_they_stand(book, module):
    method = MODULE.replace("\n", "\n    ")
    decorator = "@property\n    " if module == "property" else ""
    if module == "two labels":
        replace(
            book / "diffusion_lite" / "forward.py",
            "Book: eq-jump.",
            "Book: eq-other,\n    eq-jump.",
        )
        page = book / "book" / "01_forward.md"
        replace(page, "Some words.", "$$ c $$ (eq-other)")
        replace(
            book / "tests" / "test_forward.py",
            "@pytest",
            '@pytest.mark.equation("eq-other", oracle="eyes")\n@pytest',
        )
    else:
        text = f"class Chain:\n    {decorator}{method}"
        (book / "diffusion_lite" / "forward.py").write_text(text)
    assert ledger.collect(book).faults == []


MARK = '@pytest.mark.equation("eq-jump", oracle="a sum on paper")\n'


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        (
            "diffusion_lite/forward.py",
            "Book: eq-jump. ",
            "",
            (
                "book/01_forward.md: eq-jump has no function: write "
                '"Book: eq-jump" in the docstring of the one that computes it'
            ),
        ),
        (
            "tests/test_forward.py",
            MARK,
            "",
            (
                "book/01_forward.md: eq-jump has no test: mark one with "
                '@pytest.mark.equation("eq-jump", oracle="...")'
            ),
        ),
        (
            "diffusion_lite/forward.py",
            "eq-jump.",
            "eq-jump, eq-leap.",
            (
                "diffusion_lite/forward.py: jump names eq-leap, "
                "which is on no page"
            ),
        ),
        (
            "tests/test_forward.py",
            MARK,
            MARK + MARK.replace("jump", "leap"),
            (
                "tests/test_forward.py: test_jump names eq-leap, "
                "which is on no page"
            ),
        ),
        (
            "tests/test_forward.py",
            MARK,
            MARK + '@pytest.mark.equation("eq-jump")\n',
            (
                "tests/test_forward.py: test_jump must be marked "
                '@pytest.mark.equation("eq-name", oracle="in words")'
            ),
        ),
        (
            "book/01_forward.md",
            "Some words.",
            "$$ x $$ (eq-jump)",
            "book/01_forward.md: eq-jump is already in book/01_forward.md",
        ),
        (
            "book/01_forward.md",
            "Some words.",
            "```{math}\n:label: eq-leap\nx\n```",
            "book/01_forward.md: write $$ ... $$ instead of ```{math}",
        ),
        (
            "book/01_forward.md",
            "Some words.",
            "$$\na = b\n$$",
            "book/01_forward.md: no label (eq-...) after $$ a = b $$",
        ),
    ],
    ids=[
        "no function",
        "no test",
        "docstring of no page",
        "test of no page",
        "no oracle",
        "twice",
        "other form",
        "no label",
    ],
)
def test_a_fault_is_one_clear_line(book, file, old, new, fault):
    replace(book / file, old, new)
    assert ledger.write(book) == [fault]
    assert not (book / "book" / "ledger.md").exists()
