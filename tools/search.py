"""The index of the book's search, section by section: a Sphinx extension.

Sphinx's own index knows which words are on which page, and its script reads
the pages again to show where, which a browser forbids in a folder. Here every
section, function and term of the glossary is an entry with its text, so that
the search finds and shows it from a folder too. The index takes the place of
Sphinx's, searchindex.js; book/_static/searchtools.js reads it.
"""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

LIMIT = 500_000
"""The index has at most that many bytes; it is loaded by one page."""

Entry = tuple[str, str, str]
"""Of a section: its anchor, its title, its text."""

Page = tuple[str, str, list[Entry]]
"""Of a page: its address, its title, what can be found on it."""

HEADS = (nodes.title, nodes.term, addnodes.desc_signature)
HEADED = (nodes.section, nodes.definition_list_item, addnodes.desc)
SILENT = (
    *(nodes.literal_block, nodes.math_block, nodes.raw, nodes.Invisible),
    *(addnodes.toctree, *HEADS),
)


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx collect the entries of each page that it has resolved."""
    pages: dict[str, Page] = {}

    def collect(app: Sphinx, doctree: nodes.document, name: str) -> None:
        found = [entry for entry in entries(doctree) if entry[0]]
        title = app.env.titles[name].astext()
        pages[name] = (f"{name}.html", title, found)

    app.connect("doctree-resolved", collect)
    app.connect("build-finished", partial(write, pages))
    return {"parallel_read_safe": True}


def write(pages: dict[str, Page], app: Sphinx, failed: object) -> None:
    """Write the index, unless the build has failed."""
    if failed or app.builder.format != "html":
        return
    text = json.dumps(
        [pages[name] for name in sorted(pages)],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    if len(index := f"Search.setIndex({text})".encode()) > LIMIT:
        raise ValueError(
            f"the search's index may have {LIMIT:,} bytes, it has "
            f"{len(index):,}"
        )
    (Path(app.outdir) / "searchindex.js").write_bytes(index)


def entries(doctree: nodes.document) -> Iterator[Entry]:
    """Yield what can be found on a page, in its order."""
    for part in doctree.findall():
        if head := head_of(part):
            ids = head["ids"] or part["ids"]
            name = head.get("fullname") or words(head.children)
            yield (ids or [""])[0], name, words(part.children)


def head_of(part: nodes.Node) -> nodes.Element | None:
    """Return the title, the term or the name of what is an entry."""
    if not isinstance(part, HEADED):
        return None
    return next((node for node in part if isinstance(node, HEADS)), None)


def words(parts: list[nodes.Node]) -> str:
    """Return the words in a part, but not those in an entry of its own."""
    return re.sub(r"\s+", " ", "".join(_texts(parts))).strip()


def _texts(parts: list[nodes.Node]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, nodes.Text):
            yield part.astext()
        elif isinstance(part, nodes.math):
            yield part.astext() if part.astext().isalnum() else "…"
        elif not isinstance(part, SILENT) and not head_of(part):
            yield from _texts(part.children)
            yield "" if isinstance(part, nodes.Inline) else " "
