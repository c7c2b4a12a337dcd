"""Make a deck of slides from each chapter's built page.

``python tools/slides.py`` writes _build/html/slides, after the book is built.
A slide is a figure, with the first sentence of its caption as its title, or a
section's equations: the slides show what the page shows. What else the page
says there is in the speaker's notes (press S). reveal.js is taken from the
package sphinx-revealjs, MathJax and the fonts from the book.

``python tools/slides.py FOLDER`` also puts them, with all that they need and
nothing else, into a folder: 6 MB, for a stick or another computer.
"""

import copy
import html
import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sphinx_revealjs
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parent.parent
REVEAL = Path(sphinx_revealjs.__file__).parent / "_static" / "revealjs"
PARTS = ("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js")
PARTS += ("plugin/notes/notes.js",)
SKIPPED = ("Exercises", "Further reading")
EQUATIONS = 2  # at most, on one slide
NEEDED = ("slides.css", "favicon.svg", "fonts", "mathjax/tex-chtml.js")
NEEDED += ("mathjax/output/chtml/fonts", "mathjax/input/tex/extensions")
CREDIT = "<p class='credit'>Diffusion Lite, chapter {}. Text: CC BY 4.0.</p>"
BOOK_LINK = re.compile(r'<p><a href="\.\./book/[^>]*>[^<]*</a></p>')
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="../_static/favicon.svg">
<link rel="stylesheet" href="reveal/dist/reset.css">
<link rel="stylesheet" href="reveal/dist/reveal.css">
<link rel="stylesheet" href="../_static/slides.css">
<div class="reveal"><div class="slides">
{slides}
</div></div>
<script src="reveal/dist/reveal.js"></script>
<script src="reveal/plugin/notes/notes.js"></script>
<script>
  const options = {{ width: 1280, height: 720, margin: 0, hash: true,
    center: false, display: "grid", slideNumber: true, transition: "none",
    plugins: [RevealNotes] }};
  const start = () => MathJax.startup.defaultPageReady();
  window.MathJax = {{ chtml: {{ matchFontHeight: false, scale: 1.08 }},
    startup: {{
      pageReady: () => start().then(() => Reveal.initialize(options)) }} }};
</script>
<script src="../_static/mathjax/tex-chtml.js"></script>
</html>
"""


@dataclass(frozen=True)
class Slide:
    """What is on a slide, and what the speaker reads: both HTML."""

    title: str
    body: str
    notes: str = ""

    def __str__(self) -> str:
        notes = f'\n<aside class="notes">{self.notes}</aside>'
        return (
            f"<section>\n<h2>{self.title}</h2>\n"
            f'<div class="body">\n{self.body}\n</div>'
            f"{notes if self.notes else ''}\n</section>"
        )


def make(root: Path) -> None:
    """Make the decks of all chapters."""
    built = root / "_build" / "html"
    for part in PARTS:
        place = built / "slides" / "reveal" / part
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REVEAL / part, place)
    stems = sorted(path.stem for path in root.glob("book/[0-9]*.md"))
    with ProcessPoolExecutor() as pool:
        decks = pool.map(partial(deck, built), stems)
        for stem, page in zip(stems, decks, strict=True):
            path = built / "slides" / f"{stem}.html"
            path.write_text(page, encoding="utf-8")
    print(f"The slides are in {built / 'slides'}")


def deck(built: Path, stem: str) -> str:
    """Return a chapter's deck, a whole page."""
    chapter = read(built / "book" / f"{stem}.html")
    lab = read(built / "notebooks" / f"{stem}.html")
    title = words(chapter.h1)
    lead = f"<p>{inner(chapter.h1.find_next('p'))}</p>"
    link = f'<p><a href="../book/{stem}.html">The chapter</a></p>'
    slides = [
        Slide(title, lead + link + CREDIT.format(int(stem[:2]))),
        *(of_figure(figure, stem) for figure in of_lead(chapter.h1)),
        *(s for h2 in chapter.select("h2") for s in of_section(h2, stem)),
        *(of_figure(figure, stem) for figure in lab.select("figure")),
    ]
    ending = next(h2 for h2 in chapter.select("h2") if "Summary" in words(h2))
    slides.append(of_summary(ending.parent))
    return PAGE.format(
        title=html.escape(title), slides="\n".join(map(str, slides))
    )


def read(path: Path) -> Tag:
    """Return a built page's article, without what belongs to a page only."""
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    article = page.select_one("article")
    for extra in article.select(".headerlink, script, .section-number"):
        extra.decompose()
    for link in article.select("a.reference.internal"):
        link.unwrap()
    return article


def of_lead(h1: Tag) -> list[Tag]:
    """Return the figures before the first section: the result."""
    return h1.parent.find_all("figure", recursive=False)


def of_section(h2: Tag, stem: str) -> Iterator[Slide]:
    """Yield a section's slides: mistakes, equations, or figures, in order."""
    title, section = words(h2), h2.parent
    if title == "Common mistakes":
        leads = [inner(li.strong) for li in section.select("li") if li.strong]
        lines = "".join(f"<li>{lead.rstrip('.,')}</li>" for lead in leads)
        yield Slide(title, f"<ul>{lines}</ul>", inner(section.ul))
    elif title not in (*SKIPPED, "Summary"):
        waiting = []
        for part in section.select("div.math, figure"):
            if part.name == "div":
                waiting.append(part)
            if waiting and (part.name == "figure" or len(waiting) > EQUATIONS):
                yield of_equations(title, waiting[:EQUATIONS])
                waiting = waiting[EQUATIONS:]
            if part.name == "figure":
                yield of_figure(part, stem)
        if waiting:
            yield of_equations(title, waiting)


def of_summary(section: Tag) -> Slide:
    """Return the last slide: what is what, and where it leads."""
    table = copy.copy(section.table)
    for row in table.select("tr"):
        for cell in row.find_all(["th", "td"])[2:]:
            cell.decompose()
    last = section.find_all("p", recursive=False)[-1]
    return Slide("What stays", f"{table}\n<p>{inner(last)}</p>")


def of_equations(title: str, parts: list[Tag]) -> Slide:
    """Return a slide of equations; the words before each are for notes."""
    before = [part.find_previous("p") for part in parts]
    notes = "".join(f"<p>{inner(p)}</p>" for p in before)
    return Slide(title, "\n".join(map(str, parts)), notes)


def of_figure(figure: Tag, stem: str) -> Slide:
    """Return a slide of a figure: its caption's first words are the title."""
    caption = copy.copy(figure.select_one(".caption-text"))
    lead = caption.strong or caption.b
    title = inner(lead) if lead else ""
    if lead:
        lead.decompose()
    picture = figure.select_one("svg, img, video")
    body = f'<div class="picture">{picture}</div>'
    if figure["id"].endswith("-live"):
        address = f"../book/{stem}.html#{figure['id']}"
        body += f'<p><a href="{address}">Open the live figure</a></p>'
    return Slide(title.rstrip("."), body, f"<p>{inner(caption)}</p>")


def words(tag: Tag) -> str:
    """Return a tag's text, on one line."""
    return re.sub(r"\s+", " ", tag.get_text()).strip()


def inner(tag: Tag) -> str:
    """Return what is inside of a tag, as HTML."""
    return tag.decode_contents().strip()


def pack(built: Path, folder: Path) -> None:
    """Copy the decks and what they need; nothing leads to the book."""
    shutil.copytree(built / "slides", folder / "slides", dirs_exist_ok=True)
    for name in NEEDED:
        source, place = built / "_static" / name, folder / "_static" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            shutil.copy(source, place)
    for page in folder.glob("slides/*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(BOOK_LINK.sub("", text), encoding="utf-8")


if __name__ == "__main__":
    make(ROOT)
    for name in sys.argv[1:]:
        pack(ROOT / "_build" / "html", Path(name))
