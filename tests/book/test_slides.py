"""The slides: made of the page, whole without a network, none too full."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import slides
from window import serve

ROOT = Path(__file__).resolve().parent.parent.parent
DECKS = ROOT / "_build" / "html" / "slides"
STEMS = [path.stem for path in sorted(ROOT.glob("book/[0-9]*.md"))]

FIGURE = """
<figure id="fig-{name}"><svg role="img" aria-label="A line"></svg>
<figcaption><span class="caption-number">Fig. 1</span>
<span class="caption-text"><strong>It falls.</strong> Look
<a class="reference internal" href="#x"><span>there</span></a>.</span>
</figcaption></figure>
"""
EQUATION = '<p>Why {n}.</p><div class="math">\\[ x_{n} \\]</div>'


def article(body):
    page = f"<article><section><h1>One</h1><p>A lead.</p>{body}</section>"
    return BeautifulSoup(f"{page}</article>", "html.parser").article


def of(title, body):
    section = f"<section><h2>{title}</h2>{body}</section>"
    return list(slides.of_section(article(section).h2, "01_forward"))


def test_a_figure_says_its_claim():
    (slide,) = of("A section", FIGURE.format(name="a"))
    assert slide.title == "It falls"
    assert "<svg" in slide.body
    assert "Look" in slide.notes
    assert "It falls" not in slide.notes


def test_a_live_figure_is_one_step_away():
    (slide,) = of("A section", FIGURE.format(name="forward-live"))
    assert 'href="../book/01_forward.html#fig-forward-live"' in slide.body


def test_no_slide_has_more_than_two_equations():
    five = "".join(EQUATION.format(n=n) for n in range(5))
    found = of("A section", five + FIGURE.format(name="a"))
    counts = [slide.body.count('class="math"') for slide in found]
    assert counts == [2, 2, 1, 0]
    why = [f"Why {n}." in found[0].notes for n in range(3)]
    assert why == [True, True, False]


def test_mistakes_are_named_and_exercises_left_out():
    items = "<ul><li><strong>Never.</strong> Because.</li></ul>"
    (slide,) = of("Common mistakes", items)
    assert "<li>Never</li>" in slide.body
    assert "Because." in slide.notes
    assert of("Exercises", EQUATION) == []
    assert of("Summary", EQUATION) == []


def test_the_last_slide_says_what_is_what():
    rows = ("<tr><th>Symbol</th><th>Meaning</th><th>Function</th></tr>",)
    rows += ("<tr><td>x</td><td>a picture</td><td>draw</td></tr>",)
    table = f"<table>{''.join(rows)}</table>"
    section = article(f"<section><h2>Summary</h2>{table}<p>So.</p></section>")
    slide = slides.of_summary(section.h2.parent)
    assert "a picture" in slide.body
    assert "So." in slide.body
    assert "draw" not in slide.body


@pytest.mark.browser
def test_a_packed_deck_leads_nowhere_else(tmp_path):
    slides.pack(DECKS.parent, tmp_path)
    for stem in STEMS:
        text = (tmp_path / "slides" / f"{stem}.html").read_text("utf-8")
        page = BeautifulSoup(text, "html.parser")
        links = [a["href"] for a in page.select("a[href]")]
        assert [x for x in links if not x.startswith(("http", "#"))] == []
        for tag in page.select("link[href], script[src]"):
            place = tmp_path / "slides" / (tag.get("href") or tag["src"])
            assert place.exists()


@pytest.fixture(scope="module")
def addresses():
    """Where the book is, from a folder and from a server."""
    html = DECKS.parent
    server = serve(html)
    yield {
        "file": html.as_uri(),
        "http": f"http://127.0.0.1:{server.server_port}",
    }
    server.shutdown()
    server.server_close()


@pytest.mark.browser
@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("origin", ["file", "http"])
def test_a_deck_opens_and_nothing_is_cut_off(visit, addresses, origin, stem):
    window = visit(viewport={"width": 1280, "height": 720})
    page = window.page
    page.goto(f"{addresses[origin]}/slides/{stem}.html")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    total = page.evaluate("Reveal.getTotalSlides()")
    assert total >= 8
    for number in range(total):
        page.evaluate(f"Reveal.slide({number})")
        assert page.evaluate(INSIDE) == [], f"slide {number + 1}"
    assert window.noted == []


@pytest.mark.browser
@pytest.mark.parametrize("stem", STEMS)
def test_a_printed_deck_keeps_its_margins(visit, addresses, stem):
    page = visit(viewport={"width": 1280, "height": 720}).page
    page.goto(f"{addresses['file']}/slides/{stem}.html?print-pdf")
    page.wait_for_selector(".pdf-page section")
    page.wait_for_timeout(500)
    assert page.evaluate(PRINTED) == []


# What of a printed deck lies nearer than 40 pixels to its paper's edge.
PRINTED = """
() => [...document.querySelectorAll(".pdf-page")].flatMap((paper) => {
  const edge = paper.getBoundingClientRect();
  return [...paper.querySelectorAll("h2, p, li, svg, .eqno, mjx-math")]
    .filter((e) => !e.closest(".notes, mjx-assistive-mml"))
    .map((e) => [e, e.getBoundingClientRect()])
    .filter(([, box]) => box.width &&
      (box.left < edge.left + 40 || box.right > edge.right - 40 ||
       box.top < edge.top + 40 || box.bottom > edge.bottom - 40))
    .map(([e]) => e.outerHTML.slice(0, 80));
})
"""

# What of the slide at hand lies outside of it, or is not there.
INSIDE = """
() => {
  const slide = Reveal.getCurrentSlide();
  const faults = [];
  const whole = slide.getBoundingClientRect();
  const edge = {
    right: whole.right - slide.clientLeft,
    bottom: whole.bottom - slide.clientTop,
  };
  const parts = "h2, p, li, svg, img, table, .eqno, mjx-math";
  for (const e of slide.querySelectorAll(parts)) {
    if (e.closest(".notes, mjx-assistive-mml")) continue;
    const box = e.getBoundingClientRect();
    if (!box.width) continue;
    if (box.right > edge.right + 1 || box.bottom > edge.bottom + 1)
      faults.push(e.outerHTML.slice(0, 80));
  }
  for (const img of slide.querySelectorAll("img"))
    if (!img.complete || !img.naturalWidth) faults.push(img.outerHTML);
  const bare = slide.querySelector(".math:not(:has(mjx-container))");
  if (bare) faults.push(bare.outerHTML.slice(0, 80));
  return faults;
}
"""
