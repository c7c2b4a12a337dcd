"""The build: what is executed again, and when the book is built at all."""

import json
import sys

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbformat.v4 import new_code_cell, new_notebook

import build
import slides


@pytest.fixture
def book(tmp_path):
    """Two labs: one leads to three modules, one to none of them."""
    files = {
        "requirements.txt": "torch==1\n",
        "_toc.yml": "root: book/01_top\nchapters:\n"
        "  - file: notebooks/a\n  - file: notebooks/b\n",
        "book/01_top.md": "from diffusion_lite.bottom import f\n",
        "diffusion_lite/__init__.py": '"""0. ``bottom``  the ground"""',
        "diffusion_lite/bottom.py": "",
        "diffusion_lite/middle.py": "import diffusion_lite.bottom as b\n",
        "diffusion_lite/top.py": "from diffusion_lite import (\n  middle)\n",
        "diffusion_lite/other.py": "",
        "diffusion_lite/live/figure.js": "",
        "diffusion_lite/live/__init__.py": "",
        "experiments/long/figures.py": "from diffusion_lite import top\n",
        "experiments/long/results.csv": "",
        "tests/test_top.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "notebooks").mkdir()
    write_lab(tmp_path, "a", "from diffusion_lite.top import f")
    write_lab(tmp_path, "b", "from diffusion_lite import (\n  other,\n)")
    return tmp_path


def test_a_page_that_the_table_of_contents_lacks_is_left_alone(book):
    (book / "book" / "draft.md").write_text("not yet")
    write_lab(book, "draft", "1 / 0")
    assert sorted(page.stem for page in build.pages(book)) == [
        "01_top",
        "a",
        "b",
    ]


def write_lab(root, name, source):
    lab = new_notebook(cells=[new_code_cell(source)])
    nbformat.write(lab, root / "notebooks" / f"{name}.ipynb")


def imported(root, page):
    found = build.imports(root / page, root)
    return [file.relative_to(root).as_posix() for file in found]


def test_imports_are_followed_to_the_ground(book):
    assert imported(book, "notebooks/a.ipynb") == [
        "requirements.txt",
        "diffusion_lite/bottom.py",
        "diffusion_lite/middle.py",
        "diffusion_lite/top.py",
    ]
    assert imported(book, "notebooks/b.ipynb") == [
        "requirements.txt",
        "diffusion_lite/other.py",
    ]
    assert imported(book, "book/01_top.md")[1:] == ["diffusion_lite/bottom.py"]


def test_an_import_below_another_is_seen(book):
    lines = (
        "from diffusion_lite import middle\nfrom diffusion_lite.other import x"
    )
    write_lab(book, "a", lines)
    assert "diffusion_lite/other.py" in imported(book, "notebooks/a.ipynb")
    write_lab(
        book, "a", "from diffusion_lite import (\n    middle,\n    other,\n)"
    )
    assert "diffusion_lite/other.py" in imported(book, "notebooks/a.ipynb")


def test_a_subpackage_counts_with_its_scripts(book):
    write_lab(book, "a", "from diffusion_lite.live import Figure")
    assert imported(book, "notebooks/a.ipynb")[1:] == [
        "diffusion_lite/live/__init__.py",
        "diffusion_lite/live/figure.js",
    ]


def test_a_module_of_a_subpackage_counts_with_its_script(book):
    for name in ("one.py", "one.js", "one.css", "two.py", "two.js"):
        (book / "diffusion_lite" / "live" / name).write_text("")
    write_lab(book, "a", "from diffusion_lite.live.one import Figure")
    assert imported(book, "notebooks/a.ipynb")[1:] == [
        "diffusion_lite/live/one.css",
        "diffusion_lite/live/one.js",
        "diffusion_lite/live/one.py",
    ]


def test_an_experiment_counts_with_its_table(book):
    page = book / "book" / "01_top.md"
    page.write_text("from experiments.long import figures\n")
    assert imported(book, "book/01_top.md")[1:] == [
        "diffusion_lite/bottom.py",
        "diffusion_lite/middle.py",
        "diffusion_lite/top.py",
        "experiments/long/figures.py",
        "experiments/long/results.csv",
    ]


def test_a_file_that_a_page_opens_counts(book):
    page = book / "book" / "01_top.md"
    page.write_text('load_file("../experiments/long/results.csv")\n')
    assert imported(book, "book/01_top.md")[1:] == [
        "experiments/long/results.csv"
    ]


def execute(root):
    """Put both labs into the cache, as if they had been executed."""
    cache = get_cache(root / "_build" / ".jupyter_cache")
    for path in root.glob("notebooks/*.ipynb"):
        lab = nbformat.read(path, as_version=4)
        cache.cache_notebook_bundle(
            CacheBundleIn(lab, str(path)), check_validity=False, overwrite=True
        )


def cached(root):
    cache = get_cache(root / "_build" / ".jupyter_cache")
    return sorted(record.uri[-7] for record in cache.list_cache_records())


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ("diffusion_lite/bottom.py", ["b"]),
        ("diffusion_lite/other.py", ["a"]),
        ("diffusion_lite/live/figure.js", ["a", "b"]),
        ("requirements.txt", []),
    ],
)
def test_a_change_drops_the_results_that_rest_on_it(book, changed, left):
    build.drop_outdated(book)
    execute(book)
    build.drop_outdated(book)
    assert cached(book) == ["a", "b"]
    (book / changed).write_text("# changed")
    build.drop_outdated(book)
    assert cached(book) == left


def test_results_of_a_lab_that_is_gone_are_dropped(book):
    build.drop_outdated(book)
    execute(book)
    (book / "notebooks" / "b.ipynb").unlink()
    build.drop_outdated(book)
    assert cached(book) == ["a"]


def test_without_a_record_of_the_modules_every_result_is_dropped(book):
    build.drop_outdated(book)
    execute(book)
    (book / "_build" / "executed.json").write_text(json.dumps({}))
    build.drop_outdated(book)
    assert cached(book) == []


@pytest.fixture
def jupyter_book(book, monkeypatch):
    """Stand in for Jupyter Book: count its runs, and fail where told to."""
    runs = []

    def call(command, env, close_fds):
        runs.append((command, env))
        page = book / "_build" / "html" / "index.html"
        page.parent.mkdir(parents=True)
        page.touch()
        return call.status

    call.status = 0
    call.runs = runs
    monkeypatch.setattr(build, "ROOT", book)
    monkeypatch.setattr(build.subprocess, "call", call)
    monkeypatch.setattr(build, "execute", lambda root: None)
    monkeypatch.setattr(slides, "make", lambda root: None)
    return call


def test_the_book_is_built_when_a_file_has_changed(
    book, jupyter_book, monkeypatch, capsys
):
    monkeypatch.setenv("QUICK", "1")
    build.main()
    ((_, variables),) = jupyter_book.runs
    assert "QUICK" not in variables
    assert variables["TQDM_DISABLE"] == "1"
    build.main()
    assert len(jupyter_book.runs) == 1
    assert "index.html" in capsys.readouterr().out
    (book / "book" / "01_top.md").write_text("New words.")
    build.main()
    assert len(jupyter_book.runs) == 2


def test_no_change_needs_nothing_of_what_builds(
    book, jupyter_book, monkeypatch
):
    build.main()
    for name in ("api", "ledger", "slides", "execute", "jupyter_cache"):
        monkeypatch.setitem(sys.modules, name, None)  # no import of it
    build.main()
    assert len(jupyter_book.runs) == 1


@pytest.mark.parametrize(
    ("changed", "every"),
    [
        ("book/01_top.md", False),
        ("notebooks/a.ipynb", False),
        ("diffusion_lite/top.py", True),
        ("_toc.yml", True),
        ("book/new.md", True),
        ("tests/test_top.py", True),
    ],
)
def test_every_page_is_read_unless_only_pages_changed(
    book, jupyter_book, changed, every
):
    build.main()
    assert "--all" in jupyter_book.runs[0][0]
    with (book / changed).open("a") as file:
        file.write("\n")
    build.main()
    assert ("--all" in jupyter_book.runs[1][0]) == every


def test_a_failed_build_hides_no_warning_from_the_next(book, jupyter_book):
    build.main()
    jupyter_book.status = 1
    (book / "book" / "01_top.md").write_text("A fault.")
    with pytest.raises(SystemExit, match="was not built"):
        build.main()
    with pytest.raises(SystemExit, match="was not built"):
        build.main()
    assert "--all" not in jupyter_book.runs[1][0]
    assert "--all" in jupyter_book.runs[2][0]


def test_a_page_that_is_gone_leaves_the_built_book(book, jupyter_book):
    build.main()
    (book / "_build" / "html" / "gone.html").touch()
    (book / "book" / "01_top.md").write_text("New words.")
    build.main()
    assert not (book / "_build" / "html" / "gone.html").exists()


def test_a_failed_build_does_not_count(book, jupyter_book):
    jupyter_book.status = 1
    for _ in range(2):
        with pytest.raises(SystemExit, match="was not built"):
            build.main()
    assert len(jupyter_book.runs) == 2


def test_a_fault_in_the_ledger_stops_the_build(book, jupyter_book):
    (book / "book" / "01_top.md").write_text("$$ x $$ (eq-x)\n")
    with pytest.raises(SystemExit, match="eq-x has no test"):
        build.main()
    assert not jupyter_book.runs
