"""What the tests share."""

import inspect
import os

import pytest
import torch

import live
from mutants import mutation_test
from window import Visit, chromium, launch


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector, name, obj):
    """Collect beside a test a run with each of its mutants put in."""
    found = yield
    if inspect.isfunction(obj) and hasattr(obj, "mistakes"):
        cases = [
            item.callspec.params if hasattr(item, "callspec") else {}
            for item in found
        ]
        for mutant in obj.mistakes:
            found.append(
                pytest.Function.from_parent(
                    collector,
                    name=f"{name}[mutant {mutant.name}]",
                    callobj=mutation_test(mutant, obj, cases),
                )
            )
    return found


@pytest.fixture
def generator():
    """Return a fresh source of randomness, the same for every test."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def browser():
    """Return a Chromium; where there is none, say so and skip."""
    path = chromium()
    if path is None:
        how = (
            "no Chromium found, so the pages were not looked at: install one"
            " (Debian and Ubuntu: apt install chromium; macOS: brew install"
            " --cask google-chrome) or give its path in CHROMIUM"
        )
        # A reader may have no browser; CI has one, and must look.
        pytest.fail(how) if os.environ.get("CI") else pytest.skip(how)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Return a function that opens a window, closed after the test."""
    opened = []

    def visit(mode="light", **kwargs):
        opened.append(Visit(browser, mode, **kwargs))
        return opened[-1]

    yield visit
    for each in opened:
        each.close()


# Each figure's script is a module, which may come after the page has loaded.
STARTED = """n => document.querySelectorAll(
  ".explorable, .explorable-failed").length >= n"""


@pytest.fixture
def open_live(visit, tmp_path):
    """Return a function that opens a page of live figures in a window.

    `at` is what comes after the page in the address; `change` may spoil the
    page's text.
    """

    def open_live(*figures, at="", change=lambda text: text, **options):
        file = tmp_path / "page.html"
        file.write_text(change(live.page(figures)), "utf-8")
        window = visit(**options).open(file.as_uri() + at)
        window.page.wait_for_function(STARTED, arg=len(figures))
        return window

    return open_live
