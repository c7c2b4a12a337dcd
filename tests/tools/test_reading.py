"""What the extension adds to the pages, on a small book of its own."""

import re

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

CHAPTER = """\
A chapter
=========

If :math:`x`, then (:math:`y`)-wise :math:`z`\\ th ":math:`w`"; :math:`v` is.

It takes an hour.

- In a list, too: :math:`u`.
"""
LAB = '{"cells": []}'


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the folder of a built book: a chapter, its lab, another page."""
    root = tmp_path_factory.mktemp("reading")
    for folder in ("book", "notebooks"):
        (root / folder).mkdir()
    (root / "book" / "01_one.rst").write_text(CHAPTER)
    (root / "book" / "02_two.rst").write_text(CHAPTER)
    (root / "notebooks" / "01_one.ipynb").write_text(LAB)
    (root / "notebooks" / "09_nine.ipynb").write_text(LAB)
    pages = "   book/01_one\n   book/02_two\n"
    (root / "index.rst").write_text(f"Top\n===\n\n.. toctree::\n\n{pages}")
    with docutils_namespace():
        app = Sphinx(
            *(str(root), None, str(root / "out"), str(root / "trees"), "html"),
            confoverrides={"extensions": ["sphinx.ext.mathjax", "reading"]},
            status=None,
            warningiserror=True,
        )
        app.build()
    return root / "out"


def page(built, name):
    text = (built / "book" / f"{name}.html").read_text("utf-8")
    body = text[text.index("<h1>") : text.rindex("</section>")]
    formula = re.compile(r'<span class="math[^>]*>\\\((\w)\\\)</span>')
    return formula.sub(r"$\1$", body)


def test_a_formula_keeps_the_punctuation_beside_it(built):
    body = page(built, "02_two")
    together = re.findall(r'<span class="together">(.*?)</span>', body)
    assert together == ["$x$,", "($y$)-", "$z$th", "“$w$”;", "$u$."]


def test_no_letter_is_lost_nor_added(built):
    body = re.sub(r"<[^>]+>", "", page(built, "02_two"))
    assert "If $x$, then ($y$)-wise $z$th “$w$”; $v$ is." in body


def test_a_chapter_leads_to_its_labs_file(built):
    link = '<a href="../notebooks/01_one.ipynb" download>Download the lab</a>'
    assert f"It takes an hour. <em>{link}.</em>" in page(built, "01_one")
    assert (built / "notebooks" / "01_one.ipynb").read_text() == LAB


def test_a_page_without_a_lab_leads_to_none(built):
    assert "Download" not in page(built, "02_two")
    assert not (built / "notebooks" / "09_nine.ipynb").exists()
