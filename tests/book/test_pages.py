"""Every page of the built book, in a real browser.

A page is opened from a folder and from a server of this machine, in light
and in dark, at three widths, with every road to another machine closed.
`Visit.faults` says all that is wrong with the page at hand (what is seen from
inside a page is in pages.js); the second half of this file shows it one
broken page after another, so that a check that cannot fail is noticed.
`Visit.barriers` asks axe-core what would shut out a reader who hears the
page, or does without a mouse.
"""

from pathlib import Path

import pytest

import build
from artwork import STATIC, draw
from window import serve

ROOT = Path(__file__).resolve().parent.parent.parent
HTML = ROOT / "_build" / "html"

pytestmark = pytest.mark.browser


# ---- the pages -------------------------------------------------------------


@pytest.fixture(scope="module")
def address():
    """Where the book is, from a folder and from a server."""
    if not (HTML / "index.html").exists():
        pytest.fail(
            "there is no _build/html/index.html: run `make book` first"
        )
    server = serve(HTML)
    yield {
        "file": HTML.as_uri(),
        "http": f"http://127.0.0.1:{server.server_port}",
    }
    server.shutdown()
    server.server_close()


def built():
    """The built pages, as addresses within the book; test_slides has more."""
    found = (path.relative_to(HTML) for path in HTML.rglob("*.html"))
    return {
        p.as_posix()
        for p in found
        if p.parts[0] != "slides" and not p.parts[0].startswith("_")
    }


# ---- the book ----------------------------------------------------------

CHAPTERS = sorted(path.stem for path in ROOT.glob("book/[0-9]*.md"))
PAGES = sorted(
    page.relative_to(ROOT).with_suffix(".html").as_posix()
    for page in build.pages(ROOT)
)


def wrong(window, page):
    """What is wrong in both modes with a page, loaded once in one of them."""
    found = []
    for _ in range(2):
        found += window.faults()
        other = "light" if window.mode == "dark" else "dark"
        window.turn(other)
    return [*found, *without_live_figure(window, page)]


def without_live_figure(window, page):
    """What is wrong with the live figure of a page that should have one."""
    folder, stem = Path(page).parent.name, Path(page).stem
    if folder != "book" or stem not in CHAPTERS:
        return []
    live = window.page.locator("figure.live > .explorable")
    live.first.wait_for()
    names = live.evaluate_all("all => all.map(e => e.dataset.name)")
    failed = window.page.locator(".explorable-failed").count()
    expected = [stem.split("_", 1)[1]]
    return [] if names == expected and not failed else [f"live: {names}"]


def unlike_a_lab(window, page):
    """What no lab's page should show: doubts, or numbers of many parts."""
    if not page.startswith("notebooks/"):
        return []
    article = window.page.locator("article")
    text = article.inner_text()
    numbers = article.locator(".section-number").all_inner_texts()
    parts = [number.strip().count(".") for number in numbers]
    found = ["an answer is missing"] * ("Not yet" in text)
    found += ["fewer than two right answers"] * (text.count("Right") < 2)
    return found + [f"section numbers: {numbers}"] * (parts != [1])


def shut_out(window):
    """What shuts a reader out of an open page, in both modes."""
    found = window.barriers()
    return found + window.turn("dark").barriers()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_in_a_folder_has_no_fault_and_shuts_nobody_out(
    visit, address, page
):
    window = visit("light").open(f"{address['file']}/{page}")
    # Last what shuts out: to look there, every fold is unfolded.
    report = wrong(window, page) + unlike_a_lab(window, page)
    report += shut_out(window)
    assert not report, "\n" + "\n".join(report)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_on_a_server_has_no_fault(visit, address, page):
    window = visit("dark").open(f"{address['http']}/{page}")
    report = window.faults() + without_live_figure(window, page)
    assert not report, "\n" + "\n".join(report)


def test_what_the_builder_adds_has_no_fault(visit, address):
    report = []
    for page in sorted(built() - set(PAGES)):
        for origin, mode in (("file", "light"), ("http", "dark")):
            window = visit(mode).open(f"{address[origin]}/{page}")
            report += wrong(window, page)
            if origin == "file":
                report += shut_out(window)
    assert not report, "\n" + "\n".join(report)


def test_every_page_is_built_and_not_one_more(address):
    extra = {"index.html", "search.html", "genindex.html"}
    made = {"book/api.html", "book/ledger.html"}
    assert set(PAGES) <= built() <= {*PAGES, *extra, *made}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_page_follows_its_own_switch_of_mode(visit, address, mode):
    window = visit(mode).open(f"{address['file']}/book/notation.html")
    button = window.page.locator("button.theme-switch-button:visible")
    other = "light" if mode == "dark" else "dark"
    for _ in range(3):
        button.first.click()
        if window.page.evaluate("document.documentElement.dataset.mode") == (
            other
        ):
            break
    window.mode = other
    assert window.faults() == []


def test_the_film_plays_and_can_be_dragged(visit, address):
    lab = f"{address['file']}/notebooks/05_training.html"
    page = visit().open(lab).page
    film = page.locator(".flip-book")
    picture, t = film.get_by_role("img"), film.locator("output")
    assert t.inner_text() == "t = 0"
    film.get_by_role("slider").press("Home")
    assert t.inner_text() == "t = 100"
    first = picture.screenshot()
    film.get_by_role("button", name="Play").click()
    film.get_by_role("button", name="Pause").wait_for()
    page.wait_for_timeout(500)
    film.get_by_role("button", name="Pause").click()
    stopped = t.inner_text()
    assert 0 < int(stopped.removeprefix("t = ")) < 100
    assert picture.screenshot() != first
    page.wait_for_timeout(200)
    assert t.inner_text() == stopped


def searched(visit, address, origin, words):
    """The window after a search, and the links that it has found."""
    window = visit().open(f"{address[origin]}/index.html")
    page = window.page
    assert page.url.endswith("/book/intro.html")
    page.keyboard.press("Control+k")
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results [role=status]", timeout=5000)
    return window, page.locator("#search-results li > a")


@pytest.mark.parametrize("origin", ["file", "http"])
def test_the_search_finds_sections(visit, address, origin):
    window, links = searched(visit, address, origin, "Nearest neighbour")
    sections = links.evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    assert any(link.startswith("book/05_training.html#") for link in sections)
    excerpts = window.page.locator("#search-results mark").all_inner_texts()
    assert {"nearest", "neighbour"} <= {word.lower() for word in excerpts}
    window, links = searched(visit, address, origin, "notation")
    assert links.first.get_attribute("href") == "book/notation.html"
    links = window.page.locator("#search-results li > a")
    for link in links.evaluate_all("all => all.slice(0, 5).map(a => a.href)"):
        window.open(link)
        found = window.page.evaluate(
            "!location.hash || !!document.getElementById("
            "decodeURIComponent(location.hash.slice(1)))"
        )
        assert found, link
    assert window.noted == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("quixotry", "No section has these words."),
        ("<img src=x onerror=alert(1)>", "No section has these words."),
        ("([{*", "No section has these words."),
    ],
)
def test_a_search_that_finds_nothing_says_so(visit, address, words, said):
    window, links = searched(visit, address, "file", words)
    assert window.page.locator("#search-results").inner_text() == said
    assert links.count() == 0
    assert window.noted == []


# ---- comfort ---------------------------------------------------------------


@pytest.mark.parametrize("folder", ["book", "notebooks"])
def test_a_page_leads_to_its_labs_file(visit, address, folder):
    page = visit(java_script_enabled=False).page  # nothing else is asked
    for stem in CHAPTERS:
        page.goto(f"{address['http']}/{folder}/{stem}.html")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the lab").click()
        lab = (ROOT / "notebooks" / f"{stem}.ipynb").read_text("utf-8")
        assert download.value.suggested_filename == f"{stem}.ipynb"
        assert Path(download.value.path()).read_text("utf-8") == lab
        page.goto(f"{address['file']}/{folder}/{stem}.html")
        page.get_by_role("link", name="Download the lab").click()
        page.wait_for_url("**.ipynb")
        assert page.locator("body").inner_text().strip() == lab.strip()


# How large each formula is beside the text around it.
SIZES = """() => [...document.querySelectorAll("mjx-container")].map(e => {
  const size = e => parseFloat(getComputedStyle(e).fontSize);
  return size(e) / size(e.parentElement);
})"""


def test_formulas_have_one_size_whatever_font_has_come(visit, address):
    window = visit()
    window.context.route("**/*.woff2", lambda route: route.abort())
    window.page.goto(f"{address['file']}/book/01_forward.html")
    window.page.wait_for_selector("mjx-container")
    window.page.evaluate("MathJax.startup.promise.then(() => true)")
    sizes = window.page.evaluate(SIZES)
    assert len(sizes) > 50
    assert sizes == pytest.approx([1.08] * len(sizes), abs=0.002)


def test_the_first_tab_skips_to_the_text(visit, address):
    page = visit().open(f"{address['file']}/book/notation.html").page
    page.keyboard.press("Tab")
    seen = "document.activeElement.getBoundingClientRect().top"
    assert page.evaluate("document.activeElement.textContent") == (
        "Skip to main content"
    )
    assert page.evaluate(seen) >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main-content"


# ---- live figures ----------------------------------------------------------


@pytest.mark.parametrize("stem", ["intro", *CHAPTERS])
def test_a_page_has_a_still_figure_where_scripts_are_off(visit, address, stem):
    window = visit(java_script_enabled=False)
    window.page.goto(f"{address['file']}/book/{stem}.html")
    still = window.page.locator("figure[id$=-live]")
    assert still.locator("svg, img").first.is_visible()
    assert len(still.locator("figcaption").inner_text()) > 40


@pytest.mark.parametrize("stem", ["intro", "api", *CHAPTERS])
def test_a_page_weighs_at_most_one_megabyte(stem):
    weight = (HTML / "book" / f"{stem}.html").stat().st_size
    assert weight <= 1_000_000, f"{weight:,} bytes"


# ---- the checks can fail -------------------------------------------------

CLEAN = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>A page</title>
<style>
html {{ background: #fff }}
html[data-theme=dark] {{ background: #111; color: #eee }}
p {{ font: 16px/1.5 monospace; width: 70ch; max-width: 100% }}
pre {{ overflow: auto }}
</style>
<script>
document.documentElement.dataset.theme = localStorage.getItem("theme")
</script>
</head>
<body><main><h1>A page</h1>{body}</main></body>
</html>"""
TEXT = "<p>" + "the picture turns to noise a little at a time " * 30 + "</p>"
SVG = '<svg role="img" aria-label="a" viewBox="0 0 9 9" width="99"'
GIF = "data:image/gif;base64,R0lGODlhAQABAAAAACw="

BROKEN = {
    "asks another machine: https": "<script>fetch('https://a.org')</script>",
    "asks another machine: wss": (
        "<script>new WebSocket('wss://a.org')</script>"
    ),
    "loads from another": '<link rel="preconnect" href="https://a.org">',
    "console error": "<script>console.error('no')</script>",
    "console warning": "<script>console.warn('no')</script>",
    "page error": "<script>nothing.here()</script>",
    "request failed": "<script src='missing.js'></script>",
    "formula not rendered": r"<span class='math'>\(x\)</span>",
    "formula with an error": "<mjx-merror>x</mjx-merror>",
    "raw markup in the text: $$": "<p>$$ x = y $$</p>",
    "raw markup in the text: \\(": r"<p>\(x\)</p>",
    "raw markup in the text: as {eq}": "<p>as {eq}`eq-jump` says</p>",
    "image not loaded": "<img alt='a' src='data:image/png;base64,AAAA'>",
    "image without alt": f"<img src='{GIF}'>",
    "figure without role": "<svg viewBox='0 0 1 1' width='9'></svg>",
    "at 390 px: a formula scrolls": (
        "<mjx-container style='display: block; overflow: auto'>"
        "<div style='width: 2000px'>x</div></mjx-container>"
    ),
    "code scrolls": f"<pre style='width: 300px'>{'x' * 79}</pre>",
    "a table scrolls": (
        "<div style='width: 300px; overflow: auto'><table><tr><td>"
        f"{'x' * 79}</td></tr></table></div>"
    ),
    "a line has 8": TEXT.replace("<p>", "<p style='width: 90ch'>"),
    "a line has 4": TEXT.replace("<p>", "<p style='width: 50ch'>"),
    "a figure is 99 px": f"{TEXT}<div class='cell_output'>{SVG}></svg></div>",
    "at 1440 px: the page": "<div style='width: 1500px'>x</div>",
    "at 390 px: the page": "<div style='width: 400px'>x</div>",
    "at 360 px: the page": "<div style='width: 370px'>x</div>",
    "at 390 px: torn": (
        "<div style='width: 30px'><span class='together'>a b c d e f</span>"
        "</div>"
    ),
    "at 360 px: reaches": (
        "<style>html { overflow-x: hidden }</style>"
        "<div style='width: 380px'>x</div>"
    ),
    "contrast 1.": "<p style='color: #888; background: #999'>x</p>",
    "contrast 1.00: <text": f"{SVG}><text y='9' fill='#fff'>x</text></svg>",
    "picture dimmed": f"{SVG} style='filter: brightness(.8)'></svg>",
    "asked for light": (
        "<script>document.documentElement.dataset.theme = 'dark'</script>"
    ),
    "the page is not light": "<style>html { background: #111 }</style>",
}


def test_a_clean_page_has_no_fault(visit, tmp_path):
    (tmp_path / "page.html").write_text(CLEAN.format(body=TEXT))
    window = visit("dark").open((tmp_path / "page.html").as_uri())
    assert window.faults() == []


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_page_is_found_out(visit, tmp_path, fault):
    (tmp_path / "page.html").write_text(CLEAN.format(body=BROKEN[fault]))
    faults = visit().open((tmp_path / "page.html").as_uri()).faults()
    assert any(said.startswith(fault) for said in faults), faults


def test_a_missing_file_on_a_server_is_found_out(visit, tmp_path):
    body = '<img alt="a" src="missing.png">'
    (tmp_path / "page.html").write_text(CLEAN.format(body=body))
    server = serve(tmp_path)
    try:
        url = f"http://127.0.0.1:{server.server_port}/page.html"
        faults = visit().open(url).faults()
    finally:
        server.shutdown()
        server.server_close()
    assert any(fault.startswith("answer 404") for fault in faults), faults


SCROLLS = "overflow: auto; width: 99px; white-space: nowrap"
BARRIERS = {
    "aria-required-children (critical)": (
        "<div role='list'><div><a href='#a'>x</a></div></div>"
    ),
    "button-name (critical)": "<button></button>",
    "color-contrast (serious)": "<p style='color: #999'>pale</p>",
    "heading-order (moderate)": "<h4>x</h4>",
    "image-alt (critical)": f"<img src='{GIF}'>",
    "image-alt (critical): #folded": (
        f"<details><summary>x</summary><img id='folded' src='{GIF}'></details>"
    ),
    "label (critical)": "<input type='range'>",
    "link-name (serious)": "<a href='#a'></a>",
    "list (serious)": "<ul><p>x</p></ul>",
    "nested-interactive (serious)": (
        "<div role='button' tabindex='0'><a href='#a'>x</a></div>"
    ),
    "region (moderate)": "</main><p>x</p>",
    "scrollable-region-focusable (serious)": (
        f"<div style='{SCROLLS}'>{'x' * 99}</div>"
    ),
    "summary-name (serious)": "<details><summary></summary>x</details>",
    "svg-img-alt (serious)": "<svg role='img' viewBox='0 0 9 9'></svg>",
}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_clean_page_has_no_barrier(visit, tmp_path, mode):
    themes = "</main><p class='title logo__title'>Diffusion Lite</p>"
    (tmp_path / "page.html").write_text(CLEAN.format(body=TEXT + themes))
    window = visit(mode).open((tmp_path / "page.html").as_uri())
    assert window.barriers() == []


@pytest.mark.parametrize("barrier", BARRIERS)
def test_a_barrier_is_found_out(visit, tmp_path, barrier):
    body = TEXT + BARRIERS[barrier]
    (tmp_path / "page.html").write_text(CLEAN.format(body=body))
    (found,) = visit().open((tmp_path / "page.html").as_uri()).barriers()
    assert found.startswith(barrier)


# ---- the artwork -------------------------------------------------------


def test_the_committed_artwork_is_what_its_script_draws():
    for name, text in draw().items():
        assert (STATIC / name).read_text(encoding="utf-8") == text, (
            f"{name}: run `python tools/artwork.py`"
        )


# ---- the teacher's page ----------------------------------------------------


def test_each_link_for_the_projector_sets_its_live_figure(visit, address):
    window = visit().open(f"{address['file']}/book/teaching.html")
    links = window.page.locator("article a[href*='#'][href*='=']")
    found = links.evaluate_all("all => all.map(a => a.href)")
    assert len(found) >= 6
    for link in found:
        window = visit()
        window.page.goto(link)
        name = link.split("#")[1].split("?")[0]
        live = window.page.locator(f".explorable[data-name={name}]")
        live.wait_for()
        window.page.wait_for_timeout(300)
        assert live.is_visible()
        top = live.evaluate("e => e.getBoundingClientRect().top")
        assert -400 < top < 900, link
        assert not live.locator(".note").is_visible(), link
        assert window.noted == []
