"""A browser window that notes all that happens in it, and who asked for it.

Every road to another machine is closed. What is seen from inside a page is
in pages.js.
"""

import os
import re
import shutil
import sys
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

WIDE, PHONE, SMALL_PHONE = 1440, 390, 360
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
LOCAL = re.compile(r"^(file:|data:|blob:|about:|http://127\.0\.0\.1:)")
NOT_LOCAL = re.compile(r"^(?!file:|data:|blob:|about:|http://127\.0\.0\.1:)")
TURN = """mode => {
  localStorage.setItem("mode", mode);
  localStorage.setItem("theme", mode);
  document.documentElement.dataset.mode = mode;
  document.documentElement.dataset.theme = mode;
}"""
# The shell is the same browser without windows of its own: a third quicker.
NAMES = (
    "chromium-headless-shell",
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


def chromium():
    """The path of a Chromium: named in CHROMIUM, on the PATH, or None."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    return next((p for p in (*found, *APPS) if p and Path(p).exists()), None)


def launch(playwright, path):
    """A Chromium that runs as any user, and asks no other machine."""
    root = sys.platform == "linux" and os.geteuid() == 0
    flags = [*FLAGS, "--no-sandbox"] if root else FLAGS
    return playwright.chromium.launch(executable_path=path, args=flags)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing: a request is not news."""


def serve(folder):
    """A server of the folder at a free port; shut it down after use."""
    handler = partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@cache
def axe():
    """The source of axe-core, from the disk."""
    folder = files("axe_playwright_python")
    return (folder / "axe.min.js").read_text(encoding="utf-8")


class Visit:
    """A browser window that notes all that happens in it."""

    def __init__(self, browser, mode="light", **options):
        self.mode = mode
        self.context = browser.new_context(
            **{
                "viewport": {"width": WIDE, "height": 900},
                "color_scheme": mode,
                "reduced_motion": "reduce",
                **options,
            }
        )
        self.context.add_init_script(
            f"localStorage.setItem('mode', '{mode}');"
            f"localStorage.setItem('theme', '{mode}');"
        )
        self.context.add_init_script(path=Path(__file__).with_name("pages.js"))
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
        self.size(WIDE)
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

    def size(self, width):
        """Make the window as wide as that."""
        self.page.set_viewport_size({"width": width, "height": 900})

    def turn(self, mode):
        """Show the open page in the other mode, as its own switch does."""
        self.mode = mode
        self.page.emulate_media(color_scheme=mode)
        self.page.evaluate(TURN, mode)
        self.page.evaluate("() => new Promise(requestAnimationFrame)")
        return self

    def faults(self):
        """All that is wrong with the open page, in words."""
        self.size(WIDE)
        found = self.page.evaluate(
            "mode => faults.onAWideScreen(mode)", self.mode
        )
        for width in (WIDE, PHONE, SMALL_PHONE):
            self.size(width)
            wide = self.page.evaluate("() => faults.tooWide()")
            found += [f"at {width} px: {fault}" for fault in wide]
        self.page.evaluate("() => new Promise(requestAnimationFrame)")
        return [*self.noted, *found]

    def barriers(self):
        """What axe-core finds in the open page, every fold unfolded."""
        self.size(WIDE)
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(axe())
        found = self.page.evaluate("() => faults.barriers()")
        return [*self.noted, *found]

    def close(self):
        self.context.close()
