"""Pages with live figures, put together as the book puts them, in no time."""

import base64
import json
from pathlib import Path

from ipywidgets.embed import embed_data

STATIC = Path(__file__).resolve().parent.parent.parent / "book" / "_static"
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"

PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Live figures</title>
<style>{css}</style>
<style>
html[data-theme=light] body {{ background: #fff; color: #24282d }}
html[data-theme=dark] body {{ background: #14171a; color: #d5d9de }}
body {{ margin: 0 auto; max-width: 41.5rem; padding: 1rem }}
</style>
<script>{loader}</script>
</head>
<body><main class="bd-article"><h1>Live figures</h1>
{figures}
<script type="{type}">{state}</script>
</main></body>
</html>"""
FIGURE = """<figure id="{name}"><svg role="img" aria-label="still"
viewBox="0 0 9 3"></svg><figcaption>What to see</figcaption></figure>
<div class="cell"><div class="cell_output"><script type="{type}">{view}
</script></div></div>"""


def page(widgets, theme="light"):
    """Return the page of the given live figures, as HTML."""
    saved = embed_data(list(widgets), drop_defaults=False)
    figures = [
        FIGURE.format(
            name=widget.figure or "none", type=VIEW, view=json.dumps(view)
        )
        for widget, view in zip(widgets, saved["view_specs"], strict=True)
    ]
    state = json.dumps(as_stored(saved["manager_state"]))
    state = state.replace("</", "<\\/")
    css = (STATIC / "book.css").read_text("utf-8")
    return PAGE.format(
        theme=theme,
        css=css.replace('url("fonts', f'url("{STATIC.as_uri()}/fonts'),
        loader=(STATIC / "explorables.js").read_text("utf-8"),
        figures="\n".join(figures),
        type=STATE,
        state=state,
    )


def as_stored(data):
    """Return data as a stored notebook has it: keys in alphabetical order."""
    return json.loads(json.dumps(data, sort_keys=True))


def module(window, script):
    """Import a script in a window's page, where it is called `m`."""
    address = (
        "data:text/javascript;base64,"
        + base64.b64encode(script.encode()).decode()
    )
    window.page.evaluate(
        "async at => { window.m = await import(at) }", address
    )
    return window.page


def values(page):
    """Return what the figure on a page says, by name."""
    page.wait_for_timeout(60)
    return dict(
        zip(
            page.locator(".values dt").all_inner_texts(),
            page.locator(".values dd").all_inner_texts(),
            strict=True,
        )
    )
