"""What the search's index has of a page, on a small book of its own."""

import json

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

import search

PAGE = """\
Noise
=====

At the top, :math:`x` and :math:`x_t`.

.. code:: python

   never_shown()

Steps
-----

A step is *small*.

.. math:: y

Small print
~~~~~~~~~~~

Of steps.

.. glossary::

   floor
      The least loss.

.. py:function:: sample(n)

   Return n points.
"""


def build(root):
    (root / "index.rst").write_text(PAGE)
    with docutils_namespace():
        app = Sphinx(
            *(str(root), None, str(root / "out"), str(root / "trees"), "html"),
            confoverrides={"extensions": ["sphinx.ext.mathjax", "search"]},
            status=None,
            warningiserror=True,
        )
        app.build()
    return (root / "out" / "searchindex.js").read_text("utf-8")


def test_a_section_a_term_and_a_function_are_entries(tmp_path):
    index = build(tmp_path)
    text = index.removeprefix("Search.setIndex(").removesuffix(")")
    ((address, title, entries),) = json.loads(text)
    assert (address, title) == ("index.html", "Noise")
    assert entries == [
        ["noise", "Noise", "At the top, x and …."],
        ["steps", "Steps", "A step is small."],
        ["small-print", "Small print", "Of steps."],
        ["term-floor", "floor", "The least loss."],
        ["sample", "sample", "Return n points."],
    ]


def test_an_index_that_is_too_large_stops_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "LIMIT", 100)
    with pytest.raises(Exception, match="may have 100 bytes, it has 2"):
        build(tmp_path)
