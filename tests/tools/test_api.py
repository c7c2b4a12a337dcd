"""The API reference: its order, and plain docstrings as markup."""

import ast
import re
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

import api

PACKAGE = Path(__file__).resolve().parent.parent.parent / "diffusion_lite"
MODULE = '''\
"""A module of |x| * |y|, and of x_."""

from typing import Protocol

import torch

LIMIT = "x" * 999
"""Not a type: a sentence with a colon in it."""


class Guess(Protocol):
    """Anything that guesses."""

    def __call__(self, x: int, /) -> "Guess":
        """Return the next guess."""


def sample(n: int, *, generator: torch.Generator) -> Guess:
    r"""Return |x - y|^2 * 2 **not** `bold`, \\alpha; see ``a * b | c_`` x_.

    x_s = sqrt(a) x_, a sample of q(x | y).
    Book: eq-one, eq-two. Source: nobody, eq. 4.
    Shapes: x (B, ...).

    Raises:
        ValueError: n < 1, or |x| is
            too large.
        OSError: never.
    """


def undocumented(): ...


def _private():
    """Not shown."""
'''
INDEX = """\
.. math:: a
   :label: eq-one

.. math:: b
   :label: eq-two

.. automodule:: tiny
"""


def test_the_page_has_the_modules_in_the_order_of_the_map():
    page = api.render(PACKAGE)
    map_ = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text()))
    names = re.findall(r"``(\w+)``  ", map_)
    assert re.findall(r"^## (\w+)$", page, re.M) == names
    assert re.findall(r"automodule:: diffusion_lite\.(\w+)$", page, re.M) == (
        names
    )
    stems = {path.stem for path in PACKAGE.glob("[!_]*.py")}
    assert stems | {"explorables", "exercises"} == set(names)


def test_the_page_is_written_only_where_it_changes(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "diffusion_lite").mkdir()
    source = tmp_path / "diffusion_lite" / "__init__.py"
    source.write_text('"""The map:\n\n0. ``a``  one\n   ``b``  two\n"""')
    api.write(tmp_path)
    page = tmp_path / "book" / "api.md"
    before = page.stat().st_mtime_ns
    api.write(tmp_path)
    assert page.stat().st_mtime_ns == before
    assert page.read_text().index("## a") < page.read_text().index("## b")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Return what Sphinx shows of a module, as text."""
    root = tmp_path_factory.mktemp("api")
    (root / "tiny.py").write_text(MODULE)
    (root / "index.rst").write_text(INDEX)
    with pytest.MonkeyPatch.context() as patch, docutils_namespace():
        patch.syspath_prepend(root)
        app = Sphinx(
            *(str(root), None, str(root / "out"), str(root / "trees"), "text"),
            confoverrides={
                "extensions": ["sphinx.ext.autodoc", "api"],
                "autodoc_default_options": {"members": True},
                "add_module_names": False,
            },
            status=None,
            warningiserror=True,
        )
        app.build()
    return " ".join((root / "out" / "index.txt").read_text().split())


def test_plain_text_stays_as_it_is(shown):
    assert "A module of |x| * |y|, and of x_." in shown
    assert (
        'Return |x - y|^2 * 2 **not** `bold`, \\alpha; see "a * b | c_"'
        in (shown)
    )
    assert "x_s = sqrt(a) x_, a sample of q(x | y)." in shown


def test_an_equation_is_a_link_and_shapes_have_a_line(shown):
    assert "Book: (1), (2). Source: nobody, eq. 4. Shapes: x" in shown
    assert api.markup("q.\nBook: eq-a.\nShapes: x.") == (
        "q.\n\nBook: :eq:`eq-a`.\n\nShapes: x."
    )


def test_what_is_raised_is_listed(shown):
    assert "Raises: * **ValueError** -- n < 1, or |x| is too large." in shown
    assert "* **OSError** -- never." in shown


def test_a_signature_says_what_a_reader_can_use(shown):
    assert "sample(n: int, *, generator: torch.Generator) -> Guess" in shown
    assert "class Guess Anything that guesses." in shown


def test_only_what_is_public_and_explained_is_shown(shown):
    assert "undocumented" not in shown
    assert "private" not in shown


def test_a_colon_does_not_make_a_type(shown):
    assert "Not a type: a sentence with a colon in it." in shown
