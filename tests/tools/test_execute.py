"""The execution: side by side, kept whatever happens, and never twice."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache
from nbformat.v4 import new_code_cell, new_notebook

import execute
from execute import Progress

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = """\
title: A little book
only_build_toc_files: true
exclude_patterns: [_build]
execute: {execute_notebooks: cache, stderr_output: remove-warn}
sphinx: {config: {nb_execution_raise_on_error: true}}
"""
TOC = """\
format: jb-book
root: book/one
chapters: [{file: book/two}, {file: notebooks/three}]
"""
PAGE = """\
---
file_format: mystnb
kernelspec: {{name: python3}}
---

# Page {name}

```{{code-cell}} ipython3
open("../_build/{name}.runs", "a").write("x")
value = 6 * 7
```

```{{code-cell}} ipython3
{code}
```

Words.
"""
MEET = """\
import os, time
open("../_build/{mine}.here", "w").close()
for _ in range(600):
    if os.path.exists("../_build/{other}.here"): break
    time.sleep(0.1)
else: raise SystemError("nobody came")"""
GLUED = """\
from myst_nb import glue
glue("answer", value, display=False)"""

slow = pytest.mark.slow


@pytest.fixture
def book(tmp_path):
    """A book of two pages and a lab, in a folder whose name is not plain."""
    root = tmp_path / "a böök of mine"
    for folder in ("book", "notebooks", "tools", "diffusion_lite"):
        (root / folder).mkdir(parents=True)
    for tool in (ROOT / "tools").glob("*.py"):
        shutil.copy(tool, root / "tools")
    (root / "_config.yml").write_text(CONFIG)
    (root / "_toc.yml").write_text(TOC)
    (root / "requirements.txt").touch()
    module_map = '"""No modules."""'  # the API reference has none
    (root / "diffusion_lite" / "__init__.py").write_text(module_map)
    write(root, "one", "1")
    write(root, "two", "2")
    lab = new_notebook(cells=[new_code_cell("3")])
    lab.metadata["kernelspec"] = {"name": "python3", "display_name": "p"}
    lab.cells.insert(0, nbformat.v4.new_markdown_cell("# Lab"))
    nbformat.write(lab, root / "notebooks" / "three.ipynb")
    return root


def write(root, name, code, more=""):
    text = PAGE.format(name=name, code=code) + more
    (root / "book" / f"{name}.md").write_text(text)


def start(root, **variables):
    """Start a build of the book, as a reader would."""
    return subprocess.Popen(
        [sys.executable, "tools/build.py"],
        cwd=root,
        env={**os.environ, "JOBS": "2", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def made(root, **variables):
    """Build the book; return the exit status and what was said."""
    with start(root, **variables) as process:
        said = process.communicate(timeout=600)[0]
    return process.returncode, said


def until(process, text):
    """Read what the build says until the text comes."""
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"the build ended without saying {text!r}")


def runs(root, name):
    file = root / "_build" / f"{name}.runs"
    return len(file.read_text()) if file.exists() else 0


def cached(root):
    cache = get_cache(root / "_build" / ".jupyter_cache")
    return {Path(each.uri).stem for each in cache.list_cache_records()}


@slow
def test_pages_meet_and_sphinx_executes_nothing(book):
    write(book, "one", MEET.format(mine="one", other="two"))
    write(book, "two", MEET.format(mine="two", other="one"))
    status, said = made(book)
    assert status == 0, said
    assert "3 of 3 done" in said
    assert [runs(book, name) for name in ("one", "two")] == [1, 1]
    write(book, "one", MEET.format(mine="one", other="two"), "More words.")
    status, said = made(book)
    assert status == 0, said
    assert "Executing" not in said
    assert "0 added, 1 changed, 0 removed" in said  # the others are not read
    assert [runs(book, name) for name in ("one", "two")] == [1, 1]
    page = (book / "_build" / "html" / "book" / "one.html").read_text("utf-8")
    assert "More words." in page


@slow
def test_a_glued_value_comes_out_of_the_cache_and_is_never_stale(book):
    there = "\nIt is {glue:text}`/book/one.md::answer:d`.\n"
    write(book, "one", GLUED, "\nHere {glue:text}`answer:d`.\n")
    write(book, "two", "2", there)
    status, said = made(book)
    assert status == 0, said
    write(book, "one", GLUED.replace("value", "7"), "")
    status, said = made(book)
    assert status == 0, said
    html = book / "_build" / "html" / "book"
    text = (html / "two.html").read_text("utf-8")
    assert re.search(r"It is (<[^>]*>)*7(<[^>]*>)*\.", text)
    assert runs(book, "two") == 1


@slow
def test_text_on_stderr_fails_the_build_each_time(book):
    write(book, "one", "import sys\nprint('oh', file=sys.stderr)")
    for _ in range(2):
        status, said = made(book)
        assert status
        assert "stderr was found in the cell outputs" in said
    assert runs(book, "one") == 1


@slow
def test_a_reference_that_lost_its_label_is_found_on_another_page(book):
    write(book, "one", "1", "\n(here)=\n## There\n")
    write(book, "two", "2", "\nSee {ref}`here`.\n")
    assert made(book)[0] == 0
    write(book, "one", "1", "\n## There\n")
    status, said = made(book)
    assert status
    assert "undefined label: 'here'" in said


@slow
def test_a_failing_cell_is_named_and_the_rest_is_kept(book):
    write(book, "two", "1 / 0")
    status, said = made(book, JOBS="1")
    assert status == 1
    assert "book/two.md, cell 3, line 14: " in said
    assert "1 / 0" in said
    assert "ZeroDivisionError: division by zero" in said
    assert cached(book) == {"three", "one"}
    write(book, "two", "2")
    status, said = made(book)
    assert status == 0, said
    assert "Executing 1 pages" in said


@slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("end", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_ended_build_leaves_what_is_done_and_nothing_else(book, end):
    wait = (
        "import os, time\nopen('../_build/pid', 'w').write(str(os.getpid()))\n"
    )
    write(book, "two", f"{wait}time.sleep(300)")
    with start(book, JOBS="1") as process:
        until(process, "2 of 3 done")
        while not (book / "_build" / "pid").exists():
            time.sleep(0.1)
        process.send_signal(getattr(signal, end))
        process.communicate(timeout=100)
    assert process.returncode
    assert cached(book) == {"three", "one"}
    assert gone(int((book / "_build" / "pid").read_text()))
    write(book, "two", "2")
    status, said = made(book)
    assert status == 0, said
    assert "Executing 1 pages" in said
    assert runs(book, "one") == 1


def gone(pid):
    """Return whether a process ends within ten seconds."""
    for _ in range(100):
        status = Path(f"/proc/{pid}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            return True
        time.sleep(0.1)
    return False


@slow
def test_a_second_build_waits_for_the_first_and_says_for_whom(book):
    write(book, "one", "import time\ntime.sleep(5)")
    with start(book) as first:
        until(first, "Executing")
        status, said = made(book)
        assert first.communicate(timeout=600)
    assert status == 0
    assert f"Another build (process {first.pid}) is at work here" in said
    assert "Nothing has changed" in said
    assert runs(book, "one") == 1


# ---- what it says --------------------------------------------------------


def test_the_longest_goes_first_and_what_is_unknown_counts_as_the_limit():
    known = {"book/a.md": 20.0, "notebooks/b.ipynb": 60.0}
    names = [
        "book/a.md",
        "notebooks/b.ipynb",
        "book/c.md",
        "notebooks/d.ipynb",
    ]
    names.sort(key=lambda name: -execute.guess(name, known))
    assert [Path(name).stem for name in names] == ["d", "b", "a", "c"]


def test_progress_says_how_many_which_and_how_long(monkeypatch):
    monkeypatch.setattr(execute.time, "monotonic", lambda: 100.0)
    known = {"notebooks/a.ipynb": 250.0, "book/b.md": 30.0}
    progress = Progress(known, total=4, jobs=2, done=1)
    progress.running = {"notebooks/a.ipynb": 40.0, "book/b.md": 90.0}
    progress.waiting.append("book/c.md")
    assert str(progress) == (
        "  1 of 4 done, running: a (lab), b; about 3 minutes more"
    )
    monkeypatch.setattr(execute.time, "monotonic", lambda: 280.0)
    progress.done = 4
    assert str(progress) == "  4 of 4 done, in 3 minutes"


def test_jobs_are_a_number(monkeypatch):
    monkeypatch.setenv("JOBS", "3")
    assert execute.cores() == 3
    for wrong in ("0", "many", "-1"):
        monkeypatch.setenv("JOBS", wrong)
        with pytest.raises(SystemExit, match=f"JOBS is {wrong}"):
            execute.cores()
