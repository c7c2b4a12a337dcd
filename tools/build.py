"""Build the book into _build/html, and execute what has to be executed.

``python tools/build.py`` makes the equation ledger and the API reference,
drops outdated results from the execution cache, executes what has none
(execute.py: side by side, as many at once as there are cores, or as JOBS
says), runs Jupyter Book with warnings as errors, and makes the slides of the
pages.

Jupyter Book by itself builds too little. Its cache of results looks at the
cells alone, so a change in diffusion_lite/ goes unnoticed: here a result lives
as long as the cells *and* the modules that they import. It also hides the
warnings of pages that it does not read again, and keeps pages that are gone.
So where nothing but the text of pages has changed since a build without a
fault, those pages are read again and all are written, which resolves every
reference anew; after any other change all pages are read, too.

What is needed only to build is imported only then: to find that nothing has
changed takes a fraction of a second.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import lock

ROOT = Path(__file__).resolve().parent.parent
INPUTS = [
    "*",
    "book/**/*",
    "notebooks/*.ipynb",
    "diffusion_lite/**/*",
    "experiments/**/*",
    "tests/**/*.py",
    "tools/*.py",
]
IMPORT = re.compile(
    r"from (diffusion_lite|experiments) import (\([\w\s,]+\)|[\w ,]+)"
    r"|(diffusion_lite|experiments)\.([\w.]+)"
)
OPENED = re.compile(r"[\"']\.\./(experiments/[^\"']+)[\"']")
LISTED = re.compile(r"\b(?:root|file): *([^\s#,}]+)")
ENVIRONMENT = {
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's line on stderr
    "GOMP_SPINCOUNT": "20000",  # as in the Makefile, which says why
    "PYTHONUTF8": "1",
    "TQDM_DISABLE": "1",  # a bar would be text on stderr, a warning
    "SPYDER": "",  # or tqdm.auto makes a widget that TQDM_DISABLE cannot stop
}
# IPython runs with a profile of the book's own, not with the reader's. Its
# kernel is told not to warn that it speaks without encryption, nor to print a
# traceback of its own where it is stopped; what a cell raises is reported.
KERNEL = 'c.IPKernelApp.log_level = "CRITICAL"\n'


def main() -> None:
    """Build the book, or stop with what is wrong."""
    try:
        with lock.alone(ROOT / "_build"):
            make(ROOT)
    except KeyboardInterrupt:
        sys.exit("Stopped. The next build goes on with what is done by now.")
    print(f"The book is in {ROOT / '_build' / 'html' / 'index.html'}")


def make(root: Path) -> None:
    """Build the book, if a file has changed since it was built."""
    built = root / "_build" / "built.json"
    before = json.loads(built.read_text()) if built.exists() else {}
    page = root / "_build" / "html" / "index.html"
    if page.exists() and before == digests(root):
        print("Nothing has changed since the last build.")
        return
    import api
    import ledger
    import slides

    if faults := ledger.write(root):
        sys.exit("The equation ledger does not balance:\n" + "\n".join(faults))
    api.write(root)
    now = digests(root)
    built.unlink(missing_ok=True)
    drop_outdated(root)
    execute(root)
    build(root, every=not only_pages(root, before, now))
    slides.make(root)
    built.write_text(json.dumps(now, indent=1))


def execute(root: Path) -> None:
    """Execute the pages without results, or exit with what failed."""
    from execute import Executor, Failed

    try:
        Executor(root, environment(root)).execute(pages(root))
    except Failed as error:
        sys.exit(f"The book was not built.\n{error}")


def build(root: Path, every: bool) -> None:
    """Run Jupyter Book; exit if there is any warning.

    Args:
        root: The book's folder.
        every: Read every page, and not only those that have changed.
    """
    shutil.rmtree(root / "_build" / "html", ignore_errors=True)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", root]
    command += ["-W", "-n", "--keep-going", *(["--all"] if every else [])]
    failed = subprocess.call(
        command,
        env=environment(root),
        close_fds=False,  # it holds the lock, too
    )
    if failed:
        sys.exit("The book was not built: the errors are above.")


def environment(root: Path) -> dict[str, str]:
    """Return the variables that Jupyter Book and the kernels get."""
    ipython = root / "_build" / "ipython"
    profile = ipython / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL)
    variables = {**os.environ, **ENVIRONMENT, "IPYTHONDIR": str(ipython)}
    variables.pop("QUICK", None)
    return variables


def only_pages(
    root: Path, before: dict[str, str], now: dict[str, str]
) -> bool:
    """Return whether nothing has changed but what pages say.

    Without digests of a build before, everything counts as changed.
    """
    texts = {page.relative_to(root).as_posix() for page in pages(root)}
    changed = {name for name in now if now[name] != before.get(name)}
    return before.keys() == now.keys() and changed <= texts


def digests(root: Path) -> dict[str, str]:
    """Return a hash of every file that the book can be made of."""
    return {
        file.relative_to(root).as_posix(): sha256(
            file.read_bytes()
        ).hexdigest()
        for file in sources(root)
    }


def sources(root: Path) -> list[Path]:
    """Return every file that the book can be made of."""
    found = {file for pattern in INPUTS for file in root.glob(pattern)}
    return sorted(
        file
        for file in found
        if file.is_file() and file.name[0] != "." and file.suffix != ".pyc"
    )


def digest(files: list[Path]) -> str:
    """Return a hash over the names and the contents of files."""
    whole = sha256()
    for file in files:
        whole.update(str(file).encode())
        whole.update(sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def drop_outdated(root: Path) -> None:
    """Drop each cached result whose imported modules or pins have changed."""
    from jupyter_cache import get_cache

    state = root / "_build" / "executed.json"
    before = json.loads(state.read_text()) if state.exists() else {}
    now = {str(file): digest(imports(file, root)) for file in pages(root)}
    cache = get_cache(root / "_build" / ".jupyter_cache")
    for record in cache.list_cache_records():
        if record.uri not in now or now[record.uri] != before.get(record.uri):
            cache.remove_cache(record.pk)
    state.parent.mkdir(exist_ok=True)
    state.write_text(json.dumps(now, indent=1))


def pages(root: Path) -> list[Path]:
    """Return the pages and the labs that _toc.yml lists."""
    listed = LISTED.findall((root / "_toc.yml").read_text(encoding="utf-8"))
    found = [*root.glob("book/*.md"), *root.glob("notebooks/*.ipynb")]
    return [
        file
        for file in found
        if file.relative_to(root).with_suffix("").as_posix() in listed
    ]


def imports(page: Path, root: Path) -> list[Path]:
    """Return requirements.txt, and every module and file a page leads to."""
    named = (root / name for name in OPENED.findall(code(page)))
    found = {file for file in named if file.is_file()}
    waiting = [page]
    while waiting:
        for name in _names(code(waiting.pop())):
            for file in _module(name, root):
                if file not in found:
                    found.add(file)
                    waiting.append(file)
    return [root / "requirements.txt", *sorted(found)]


def code(file: Path) -> str:
    """Return a lab's cells, or the whole text of any other file."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def _names(text: str) -> set[str]:
    return {
        f"{package}{other}.{name}"
        for package, names, other, dotted in IMPORT.findall(text)
        for name in re.findall(r"[\w.]+", names + dotted)
    }


def _module(name: str, root: Path) -> list[Path]:
    """Return a module's file, with the script, style or table of its name.

    What comes after the module in a dotted name is left out; of a folder's
    name, every file counts.
    """
    parts = name.strip(".").split(".")
    for length in range(len(parts), 1, -1):
        stem = root.joinpath(*parts[:length])
        if files := [
            f for f in stem.parent.glob(f"{stem.name}.*") if _code(f)
        ]:
            return sorted(files)
    return sorted(filter(_code, stem.rglob("*")))


def _code(file: Path) -> bool:
    return file.suffix in {".py", ".js", ".css", ".csv", ".html"}


if __name__ == "__main__":
    main()
