"""Every page of the built book, in a real browser.

A page is opened from a folder and from a server of this machine, in light
and in dark, at three widths, with every road to another machine closed. One
function, `faults`, says all that is wrong with the page at hand; the second
half of this file shows it one broken page after another, so that a check
which can no longer fail is noticed.
"""

import os
import re
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from artwork import STATIC, draw

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
WIDE, PHONE, SMALL_PHONE = 1440, 390, 360
FLAGS = (
    "--disable-gpu --disable-quic --no-first-run --disable-sync"
    " --disable-background-networking --disable-component-update"
).split()
LOCAL = re.compile(r"^(file:|data:|blob:|about:|http://127\.0\.0\.1:)")
NOT_LOCAL = re.compile(r"^(?!file:|data:|blob:|about:|http://127\.0\.0\.1:)")
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
)
APPS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)

pytestmark = pytest.mark.browser


# ---- a browser, a server, the pages ----------------------------------------


def chromium():
    """The path of a Chromium: named in CHROMIUM, on the PATH, or None."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    return next((p for p in (*found, *APPS) if p and Path(p).exists()), None)


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    if path is None:
        how = (
            "no Chromium found, so the pages were not looked at: install one"
            " (Debian and Ubuntu: apt install chromium; macOS: brew install"
            " --cask google-chrome) or give its path in CHROMIUM"
        )
        pytest.fail(how) if os.environ.get("CI") else pytest.skip(how)
    from playwright.sync_api import sync_playwright

    root = sys.platform == "linux" and os.geteuid() == 0
    flags = [*FLAGS, "--no-sandbox"] if root else FLAGS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing: a request is not news."""


def serve(folder):
    """A server of the folder at a free port; shut it down after use."""
    handler = partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


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


def pages():
    """The built pages, as addresses within the book."""
    found = (path.relative_to(HTML) for path in HTML.rglob("*.html"))
    return sorted(
        p.as_posix() for p in found if not p.parts[0].startswith("_")
    )


# ---- what can be wrong with a page -----------------------------------------

IN_PAGE = """
() => {
  const faults = [];
  const short = e => (e.outerHTML || e.textContent).replace(/\\s+/g, " ").slice(0, 110);
  const all = s => [...document.querySelectorAll(s)];
  const article = document.querySelector(".bd-article") || document.querySelector("main");

  for (const e of all(".math")) {
    if (!e.querySelector("mjx-container")) faults.push("formula not rendered: " + short(e));
  }
  for (const e of all("mjx-merror, [data-mjx-error]")) {
    faults.push("formula with an error: " + short(e.closest("mjx-container") || e));
  }
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  const raw = /\\$|\\\\\\(|\\\\\\[|\\\\begin\\{|\\{(eq|numref|cite(:[a-z]+)?|ref|doc|prf:ref)\\}/;
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest("pre, code, script, style, textarea, mjx-container, .math")) continue;
    const hit = node.textContent.match(raw);
    if (hit) faults.push("raw markup in the text: " + short(node));
  }

  for (const e of all("img")) {
    if (!e.complete || e.naturalWidth === 0) faults.push("image not loaded: " + short(e));
    if (!e.hasAttribute("alt") || (article.contains(e) && !e.alt.trim()))
      faults.push("image without alt text: " + short(e));
  }
  for (const e of article.querySelectorAll("svg:not(.svg-inline--fa, .sd-octicon)")) {
    if (e.closest("mjx-container, button, .tb-icon, [aria-hidden=true], svg[role=img] svg, .explorable [role=img]")) continue;
    if (e.getAttribute("role") !== "img" || !(e.getAttribute("aria-label") || "").trim())
      faults.push("figure without role=img and aria-label: " + short(e));
  }
  const outside = "script[src], img[src], iframe[src], source[src], video[src], audio[src],"
    + " link[rel~=stylesheet], link[rel~=preload], link[rel~=modulepreload],"
    + " link[rel~=preconnect], link[rel~='dns-prefetch'], link[rel~=prefetch], link[rel~=icon]";
  for (const e of all(outside)) {
    const url = new URL(e.src || e.href, location);
    if (/^https?:$/.test(url.protocol) && url.hostname !== "127.0.0.1")
      faults.push("loads from another machine: " + short(e));
  }
  return faults;
}
"""

TOO_WIDE = """
() => {
  const root = document.scrollingElement;
  const faults = [];
  if (root.scrollWidth > root.clientWidth)
    faults.push(`the page is ${root.scrollWidth} px wide`);
  const scrolls = e => {
    for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
      if (getComputedStyle(p).overflowX !== "visible") return true;
    return false;
  };
  const article = document.querySelector(".bd-article") || document.querySelector("main");
  for (const e of article.querySelectorAll("*")) {
    const box = e.getBoundingClientRect();
    if (box.right > root.clientWidth + 1 && box.width > 1 && !scrolls(e)
        && !e.closest("mjx-assistive-mml, .visually-hidden, .headerlink")) {
      faults.push(`reaches to ${Math.round(box.right)} px: ` + e.outerHTML.slice(0, 90));
      break;
    }
  }
  return faults;
}
"""

ON_A_WIDE_SCREEN = """
() => {
  const faults = [];
  const article = document.querySelector(".bd-article") || document.querySelector("main");
  for (const pre of article.querySelectorAll("pre")) {
    if (pre.closest(".cell_output, .output") || pre.clientWidth === 0) continue;
    for (let e = pre; e !== article; e = e.parentElement)
      if (e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX !== "visible") {
        faults.push("code scrolls: " + pre.textContent.slice(0, 60).trim());
        break;
      }
  }
  // Characters in each full line of plain paragraphs: all lines but the last.
  const full = [];
  let column = 0;
  for (const p of article.querySelectorAll(".bd-article > section p, .bd-article > section > section p, main > p")) {
    if (p.closest("figure, li, table, dl, .admonition, .proof, .sd-card, .sd-dropdown, blockquote, .citation")) continue;
    column = Math.max(column, p.clientWidth);
    if (p.querySelector("mjx-container, code, img, br")) continue;
    const range = document.createRange(), lines = new Map();
    const walker = document.createTreeWalker(p, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent;
      for (const word of text.matchAll(/\\S+\\s*/g)) {
        range.setStart(walker.currentNode, word.index);
        range.setEnd(walker.currentNode, word.index + word[0].trimEnd().length);
        const line = Math.round(range.getBoundingClientRect().bottom / 8);
        lines.set(line, (lines.get(line) || 0) + word[0].length);
      }
    }
    full.push(...[...lines.values()].slice(0, -1));
  }
  if (full.length >= 10) {
    const mean = full.reduce((a, b) => a + b) / full.length;
    if (mean < 65 || mean > 75)
      faults.push(`a line of text has ${mean.toFixed(1)} characters, not 65 to 75`);
  }
  for (const svg of article.querySelectorAll(".cell_output svg[role=img]")) {
    const width = svg.getBoundingClientRect().width;
    if (width && column && Math.abs(width - column) > 2 && !svg.closest(".admonition, .explorable, details"))
      faults.push(`a figure is ${Math.round(width)} px wide, the text ${column}`);
  }
  return faults;
}
"""

IN_THIS_MODE = """
mode => {
  const faults = [];
  const html = document.documentElement;
  if (html.dataset.theme !== mode) faults.push(`asked for ${mode}, shown in ${html.dataset.theme}`);
  const rgb = s => s.match(/[\\d.]+/g).map(Number);
  const light = c => c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const contrast = (e, ink) => {
    const [a, b] = [light(rgb(getComputedStyle(e)[ink])), light(ground(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const article = document.querySelector(".bd-article") || document.querySelector("main");
  if ((light(ground(article)) > 0.5) !== (mode === "light")) faults.push(`the page is not ${mode}`);
  const text = "p, li, td, th, h1, h2, h3, a[href], figcaption, summary, code, pre, pre span, .eqno, svg[role=img] text";
  const seen = new Set();
  for (const e of document.querySelectorAll(text)) {
    if (!e.textContent.trim() || !e.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
    if (e.closest(".headerlink, .skip-link, svg:not([role=img])")) continue;
    // A figure's label may be as pale as the noise grey, not paler.
    const drawn = e.closest("svg");
    const ratio = contrast(e, drawn ? "fill" : "color");
    const key = e.tagName + e.className + ratio.toFixed(1);
    if (ratio < (drawn ? 2.8 : 4.5) && !seen.has(key)) {
      seen.add(key);
      faults.push(`contrast ${ratio.toFixed(2)}: ` + e.outerHTML.slice(0, 90));
    }
  }
  for (const e of article.querySelectorAll("img:not(.only-light, .only-dark), svg[role=img]:not(.svg-inline--fa)")) {
    const style = getComputedStyle(e);
    if (style.filter !== "none") faults.push("picture dimmed by the theme: " + e.outerHTML.slice(0, 90));
  }
  return faults;
}
"""


class Visit:
    """A browser window that notes all that happens in it."""

    def __init__(self, browser, mode="light"):
        self.mode = mode
        self.context = browser.new_context(
            viewport={"width": WIDE, "height": 900},
            color_scheme=mode,
            reduced_motion="reduce",
        )
        self.context.add_init_script(
            f"localStorage.setItem('mode', '{mode}');"
            f"localStorage.setItem('theme', '{mode}');"
        )
        self.context.route(NOT_LOCAL, self._refuse)
        self.context.route_web_socket(NOT_LOCAL, self._refuse_socket)
        self.page = self.context.new_page()
        self.noted = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda e: self._note(f"page error: {e}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _note(self, fault):
        self.noted.append(fault)

    def _refuse(self, route):
        self._note(f"asks another machine: {route.request.url}")
        route.abort()

    def _refuse_socket(self, socket):
        self._note(f"asks another machine: {socket.url}")
        socket.close()

    def _hear(self, message):
        if message.type in ("error", "warning"):
            self._note(f"console {message.type}: {message.text}")

    def _failed(self, request):
        if LOCAL.match(request.url) and "ERR_ABORTED" not in (
            request.failure or ""
        ):
            self._note(f"request failed: {request.url} ({request.failure})")

    def _answered(self, response):
        if response.status >= 400:
            self._note(f"answer {response.status}: {response.url}")

    def open(self, url):
        self.noted.clear()
        self.page.set_viewport_size({"width": WIDE, "height": 900})
        self.page.goto(url, wait_until="load")
        self.page.wait_for_function(  # index.html leads on to the first page
            "!document.querySelector('meta[http-equiv=refresh]')"
        )
        self.page.wait_for_load_state("load")
        self.page.evaluate(
            "async () => { await window.MathJax?.startup?.promise;"
            " await document.fonts.ready; }"
        )
        return self

    def faults(self):
        """All that is wrong with the open page, in words."""
        found = [
            *self.page.evaluate(IN_PAGE),
            *self.page.evaluate(ON_A_WIDE_SCREEN),
            *self.page.evaluate(IN_THIS_MODE, self.mode),
        ]
        for width in (WIDE, PHONE, SMALL_PHONE):
            self.page.set_viewport_size({"width": width, "height": 800})
            wide = self.page.evaluate(TOO_WIDE)
            found += [f"at {width} px: {fault}" for fault in wide]
        self.page.evaluate("() => new Promise(requestAnimationFrame)")
        return [*self.noted, *found]

    def close(self):
        self.context.close()


@pytest.fixture
def visit(browser):
    opened = []

    def visit(mode="light"):
        opened.append(Visit(browser, mode))
        return opened[-1]

    yield visit
    for each in opened:
        each.close()


# ---- the book ----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("origin", ["file", "http"])
def test_no_page_has_a_fault(visit, address, origin, mode):
    window = visit(mode)
    found = {}
    for page in pages():
        faults = window.open(f"{address[origin]}/{page}").faults()
        if faults:
            found[page] = faults
    report = [f"{page}: {fault}" for page in found for fault in found[page]]
    assert not report, "\n" + "\n".join(report)


@pytest.mark.parametrize("origin", ["file", "http"])
def test_the_search_finds_a_page_by_its_title(visit, address, origin):
    window = visit().open(f"{address[origin]}/index.html")
    page = window.page
    assert page.url.endswith("/book/intro.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("Notation")
    page.keyboard.press("Enter")
    page.wait_for_selector(
        "#search-results li a[href*='notation']", timeout=5000
    )
    assert window.noted == []


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


# ---- the checks can fail -------------------------------------------------------

CLEAN = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>A page</title>
<style>html {{ background: #fff }} html[data-theme=dark] {{ background: #111; color: #eee }}
p {{ font: 16px/1.5 monospace; width: 70ch; max-width: 100% }} pre {{ overflow: auto }}</style>
<script>document.documentElement.dataset.theme = localStorage.getItem("theme")</script>
</head><body><main><h1>A page</h1>{body}</main></body></html>"""
TEXT = "<p>" + "the picture turns to noise a little at a time " * 30 + "</p>"

BROKEN = {
    "asks another machine": '<img alt="a" src="https://example.org/a.png">',
    "asks another machine: ws": '<script>new WebSocket("wss://example.org")</script>',
    "loads from another": '<link rel="preconnect" href="https://example.org">',
    "console error": '<script>console.error("no")</script>',
    "console warning": '<script>console.warn("no")</script>',
    "page error": "<script>nothing.here()</script>",
    "request failed": '<script src="missing.js"></script>',
    "formula not rendered": r'<span class="math">\(x\)</span>',
    "formula with an error": "<mjx-container><mjx-merror>x</mjx-merror></mjx-container>",
    "raw markup": "<p>$$ x = y $$</p>",
    "raw markup in the text: a price": "<p>a price in $x$</p>",
    "raw markup in the text": "<p>see {eq}`eq-jump`</p>",
    "image not loaded": '<img alt="a" src="data:image/png;base64,AAAA">',
    "image without alt": '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
    "figure without role": '<svg viewBox="0 0 1 1" width="9"></svg>',
    "code scrolls": "<pre style='width: 300px'>" + "x" * 79 + "</pre>",
    "characters, not 65": TEXT.replace("<p>", "<p style='width: 90ch'>"),
    "characters, not": TEXT.replace("<p>", "<p style='width: 50ch'>"),
    "at 1440 px: the page": '<div style="width: 1500px">x</div>',
    "at 390 px: the page": '<div style="width: 400px">x</div>',
    "at 360 px: the page": '<div style="width: 370px">x</div>',
    "at 360 px: reaches": '<style>body { overflow-x: clip; margin: 0 }</style>'
    '<div style="width: 380px">x</div>',
    "contrast": '<p style="color: #888; background: #999">x</p>',
    "contrast 1.00: <text": '<svg role="img" aria-label="a" viewBox="0 0 9 9" width="99">'
    '<text y="9" fill="#fff">x</text></svg>',
    "picture dimmed": '<svg role="img" aria-label="a" style="filter: brightness(.8)"'
    ' viewBox="0 0 1 1" width="9"></svg>',
    "asked for light": "<script>document.documentElement.dataset.theme = 'dark'</script>",
}  # fmt: skip


def test_a_clean_page_has_no_fault(visit, tmp_path):
    (tmp_path / "page.html").write_text(CLEAN.format(body=TEXT))
    window = visit("dark").open((tmp_path / "page.html").as_uri())
    assert window.faults() == []


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_page_is_found_out(visit, tmp_path, fault):
    (tmp_path / "page.html").write_text(CLEAN.format(body=BROKEN[fault]))
    faults = visit().open((tmp_path / "page.html").as_uri()).faults()
    assert any(said.startswith(fault) or fault in said for said in faults), (
        faults
    )


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


# ---- the artwork -----------------------------------------------------------------


def test_the_committed_artwork_is_what_its_script_draws():
    for name, text in draw().items():
        assert (STATIC / name).read_text(encoding="utf-8") == text, (
            f"{name}: run `python tools/artwork.py`"
        )
