"""What a reader would miss in the pages that Sphinx makes: an extension.

- A formula within a line stays with the punctuation beside it, which would
  otherwise begin the next line, or end this one.
- Each chapter, and the page of its lab, leads to the lab's file, which lies
  in the built book.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

BEFORE = re.compile(r"[^\s\w]+$")
AFTER = re.compile(r"^(?:[^\s\w]+(?:s\b)?|\w+)")
STEM = re.compile(r"^(?:book|notebooks)/(\d\d_\w+)$")
LINK = ' <em><a href="../{0}" download>Download the lab</a>.</em>'


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx do both."""
    app.add_post_transform(KeepTogether)
    app.connect("doctree-resolved", link_lab)
    app.connect("build-finished", copy_labs)
    return {"parallel_read_safe": True}


# ---- a formula and its punctuation ------------------------------------------


class KeepTogether(SphinxPostTransform):
    """Put each formula with what touches it into one element, `together`."""

    default_priority = 900

    def run(self, **kwargs: object) -> None:
        """Go through the formulas of a page."""
        for formula in list(self.document.findall(nodes.math)):
            parent = formula.parent
            at = parent.index(formula)
            before = cut(parent, at - 1, BEFORE)
            at = parent.index(formula)
            after = cut(parent, at + 1, AFTER)
            if before or after:
                parts = [nodes.Text(before), formula, nodes.Text(after)]
                parent[at] = nodes.inline("", "", *parts, classes=["together"])


def cut(parent: nodes.Element, at: int, pattern: re.Pattern) -> str:
    """Take what matches out of a text of the parent's; return it."""
    if not 0 <= at < len(parent) or not isinstance(parent[at], nodes.Text):
        return ""
    found = pattern.search(text := parent[at].astext())
    if not found:
        return ""
    parent[at] = nodes.Text(text[: found.start()] + text[found.end() :])
    return found[0]


# ---- a lab's file -----------------------------------------------------------


def lab_of(docname: str, source: Path) -> str | None:
    """Return the lab of a chapter, or of its own page, as a path."""
    found = STEM.match(docname)
    lab = f"notebooks/{found[1]}.ipynb" if found else ""
    return lab if lab and (source / lab).exists() else None


def link_lab(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """End the second paragraph, which says how long it takes, with a link."""
    lab = lab_of(docname, Path(app.srcdir))
    if lab and app.builder.format == "html":
        section = next(doctree.findall(nodes.section))
        paragraphs = [p for p in section if isinstance(p, nodes.paragraph)]
        paragraphs[1] += nodes.raw("", LINK.format(lab), format="html")


def labs(app: Sphinx) -> Iterator[str]:
    """Yield the labs that the book's pages lead to."""
    found = (lab_of(name, Path(app.srcdir)) for name in app.env.found_docs)
    yield from sorted({lab for lab in found if lab})


def copy_labs(app: Sphinx, failed: Exception | None) -> None:
    """Put the labs' files, as they are stored, into the built book."""
    if failed or app.builder.format != "html":
        return
    for lab in labs(app):
        place = Path(app.outdir) / lab
        place.parent.mkdir(exist_ok=True)
        shutil.copy(Path(app.srcdir) / lab, place)
