"""Build the book into _build/html, and execute what has to be executed.

``python tools/build.py`` makes the equation ledger, drops outdated results
from the execution cache, runs Jupyter Book with warnings as errors, and makes
the slides of the pages.

Jupyter Book by itself builds too little: its cache of results looks at the
cells alone, so a change in diffusion_lite/ goes unnoticed; and Sphinx does
not read a page again for a value glued in from a lab, hides the warnings of
the pages that it does not read, and keeps pages that are gone. So here a
result lives as long as the cells *and* the modules that they import; and
where any file has changed, every page is read again, which takes seconds.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from jupyter_cache import get_cache

import ledger
import slides

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
ENVIRONMENT = {
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's line on stderr
    "GOMP_SPINCOUNT": "20000",  # as in the Makefile, which says why
    "PYTHONUTF8": "1",
    "TQDM_DISABLE": "1",  # a bar would be text on stderr, a warning
    "SPYDER": "",  # or tqdm.auto makes a widget that TQDM_DISABLE cannot stop
}
# IPython runs with a profile of the book's own, not with the reader's. Its
# kernel is told not to warn that it speaks without encryption.
KERNEL = 'c.IPKernelApp.log_level = "ERROR"\n'


def main() -> None:
    """Build the book, or stop with what is wrong."""
    if faults := ledger.write(ROOT):
        sys.exit("The equation ledger does not balance:\n" + "\n".join(faults))
    page = ROOT / "_build" / "html" / "index.html"
    built = ROOT / "_build" / "built.sha256"
    now = digest(sources(ROOT))
    if page.exists() and built.exists() and built.read_text() == now:
        print("Nothing has changed since the last build.")
    else:
        built.unlink(missing_ok=True)
        drop_outdated(ROOT)
        build(ROOT)
        slides.make(ROOT)
        built.write_text(now)
    print(f"The book is in {page}")


def build(root: Path) -> None:
    """Run Jupyter Book on every page; exit if there is any warning."""
    shutil.rmtree(root / "_build" / "html", ignore_errors=True)
    print("Building the book; labs that changed are run, which takes minutes.")
    ipython = root / "_build" / "ipython"
    environment = {**os.environ, **ENVIRONMENT, "IPYTHONDIR": str(ipython)}
    environment.pop("QUICK", None)
    profile = ipython / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL)
    command = Path(sys.executable).with_name("jupyter-book")
    failed = subprocess.call(
        [command, "build", root, "--all", "-W", "-n", "--keep-going"],
        env=environment,
    )
    if failed:
        sys.exit("The book was not built: the errors are above.")


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
    whole = hashlib.sha256()
    for file in files:
        whole.update(str(file).encode())
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def drop_outdated(root: Path) -> None:
    """Drop each cached result whose imported modules or pins have changed."""
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
    """Return the pages and the labs."""
    return [*root.glob("book/*.md"), *root.glob("notebooks/*.ipynb")]


def imports(page: Path, root: Path) -> list[Path]:
    """Return requirements.txt and every module that a page leads to."""
    found: set[Path] = set()
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
    return file.suffix in {".py", ".js", ".css", ".csv"}


if __name__ == "__main__":
    main()
