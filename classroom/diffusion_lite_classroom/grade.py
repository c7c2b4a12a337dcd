"""Grade a class: every notebook of every student, and go on after each.

Each notebook is graded by a process of its own (``examine``), which starts
the notebook's, shut in. Whatever becomes of either, the next one is graded.
What is done is kept, so that a run that was stopped goes on where it was.
"""

import hashlib
import importlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import matplotlib

from diffusion_lite import exercises
from diffusion_lite.exercises.state import PATIENCE
from diffusion_lite_classroom import report
from diffusion_lite_classroom.examine import (
    SPANS,
    Settings,
    Unreadable,
    examine_into,
    read,
)

LAYOUT = "expected a folder for each student: SUBMISSIONS/<student>/*.ipynb"
RUBBISH = ("__macosx", "desktop.ini", "thumbs.db")
"""What systems leave in folders, besides what begins with a dot."""

PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
NOTHING = ("There is no notebook", "It is no student's folder")
"""How the faults begin of what has no notebook in it."""

MOST_NOTEBOOKS = 20
"""How many notebooks of one student are graded."""

GRACE = 300
"""How many seconds a grading process may need besides its notebook's."""

NOT_DONE = "It could not be graded. Run the grader again, or look yourself."


@dataclass(frozen=True)
class Notebook:
    """One file that a student handed in, or what is wrong with it.

    The key tells it, and the checks, from all others.
    """

    student: str
    path: Path
    key: str = ""
    fault: str = ""

    @property
    def title(self) -> str:
        """What it is called in a line of progress."""
        return report.plain(f"{self.student}/{self.path.name}")


def notebook(student: str, path: Path) -> Notebook:
    """Return a student's notebook, with its fault if it has one."""
    try:
        data = read(path)
    except Unreadable as error:
        return Notebook(student, path, fault=str(error))
    digest = hashlib.sha256(checks())
    for part in (os.fsencode(student), os.fsencode(path.name), data):
        digest.update(len(part).to_bytes(8, "big") + part)
    return Notebook(student, path, digest.hexdigest())


@cache
def checks() -> bytes:
    """Return the source of all checks: if they change, all is graded anew."""
    folders = (Path(exercises.__file__).parent, Path(__file__).parent)
    return b"".join(
        path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
    )


def handed_in(submissions: Path) -> list[Notebook]:
    """Return all that was handed in, and what lies beside the folders.

    Raises:
        ValueError: there is no folder, or nothing in it.
        OSError: nobody can look into it.
    """
    name = report.plain(submissions)
    if not submissions.is_dir():
        raise ValueError(f"there is no folder {name}: {LAYOUT}")
    folders, found = contents(submissions), []
    for path in folders:
        try:
            found += notebooks(path) if path.is_dir() else [beside(path)]
        except OSError as error:
            fault = f"The folder cannot be read: {error.strerror}."
            found.append(Notebook(path.name, path, fault=fault))
    nothing = all(each.fault.startswith(NOTHING) for each in found)
    if nothing or not any(path.is_dir() for path in folders):
        raise ValueError(f"there is no notebook in {name}: {LAYOUT}")
    return found


def contents(folder: Path) -> list[Path]:
    """Return what lies in a folder, but for what systems leave there."""
    return [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
        and path.name.casefold() not in RUBBISH
    ]


def beside(path: Path) -> Notebook:
    """Return what lies beside the folders, and what to do with it."""
    kind = path.suffix.lower()
    fault = f"{NOTHING[1]}, and was not looked at."
    if kind in (".ipynb", *PACKED):
        what = (
            "lies beside the folders: put"
            if kind == ".ipynb"
            else ("is packed: unpack")
        )
        fault = f"It {what} it into a folder with the student's name."
    return Notebook(path.name, path, fault=fault)


def notebooks(folder: Path) -> list[Notebook]:
    """Return a student's notebooks; where there is none, that is noted."""
    student = folder.name
    if folder.is_symlink():
        return [Notebook(student, folder, fault="The folder is a link.")]
    paths = [
        (path, fault)
        for path in contents(folder)
        if (fault := amiss(path)) is not None
    ]
    if not paths:
        fault = f"{NOTHING[0]}, {lies(folder)}."
        return [Notebook(student, folder, fault=fault)]
    found = [
        Notebook(student, path, fault=fault)
        if fault
        else notebook(student, path)
        for path, fault in paths[:MOST_NOTEBOOKS]
    ]
    if len(paths) > MOST_NOTEBOOKS:
        fault = f"Only the first {MOST_NOTEBOOKS} notebooks are graded."
        found.append(Notebook(student, folder, fault=fault))
    return found


def lies(folder: Path) -> str:
    """Return what lies in a folder, and below, that is no notebook."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = sorted(str(p.relative_to(folder)) for p in islice(files, 100))
    more = " and more" * (len(names) > 3)
    few = ", ".join(names[:3])
    return f"only {few}{more}" if names else "and no other file"


def amiss(path: Path) -> str | None:
    """Return what is amiss with a notebook, or "", or None if it is none."""
    if path.is_dir() and not path.is_symlink():
        if next(path.rglob("*.ipynb"), None) or path.suffix == ".ipynb":
            return "It is a folder: put the notebook out of it, beside it."
        return None
    if path.suffix.lower() == ".ipynb":
        return ""
    if path.suffix.lower() in PACKED:
        return "It is packed: unpack it here."
    if ".ipynb" in path.name:
        return "Its name must end in .ipynb: call it so."
    return None


class Class:
    """A class that is being graded.

    Raises:
        ValueError: there are no students, or the results would be one, or
            cannot be written.
        OSError: the folder cannot be read.
    """

    def __init__(
        self, submissions: Path, out: Path, settings: Settings
    ) -> None:
        ours, theirs = map(os.path.realpath, (out, submissions))
        if Path(ours).is_relative_to(theirs):
            raise ValueError(f"results cannot go into {submissions} itself")
        self.notebooks = handed_in(submissions)
        self.out, self.records = out, out / "records"
        self.settings = settings
        try:
            self.records.mkdir(parents=True, exist_ok=True)
            report.write(self.records / "writable", "")
            (self.records / "writable").unlink()
        except OSError as error:
            why = f"results cannot be written into {out}: {error.strerror}"
            raise ValueError(why) from None

    def record(self, notebook: Notebook) -> Path:
        """Return where is kept what came of a notebook, with these limits."""
        given = self.settings
        terms = f"{given.isolated:d}-{given.memory}-{given.seconds}"
        return self.records / f"{notebook.key}-{terms}.json"

    def result(self, notebook: Notebook) -> dict:
        """Return what came of a notebook."""
        if notebook.fault:
            return {"marks": [], "notes": [notebook.fault]}
        try:
            return json.loads(self.record(notebook).read_text("utf-8"))
        except (OSError, ValueError):
            return {"marks": [], "notes": [NOT_DONE]}

    def grade(self) -> None:
        """Grade what is not graded yet, on all cores; say when each is."""
        waiting = [
            each
            for each in self.notebooks
            if not each.fault and not self.record(each).exists()
        ]
        total = len(waiting)
        say(f"{len(self.notebooks)} notebooks, {total} to grade")
        with closing(self.run(waiting)) as done:
            for number, each in enumerate(done, 1):
                say(f"{number}/{total} {each.title}: {self.summary(each)}")

    def summary(self, notebook: Notebook) -> str:
        """Return what came of a notebook, in a few words."""
        result = self.result(notebook)
        marks = result["marks"]
        if not marks:
            return " ".join(result["notes"])
        right = sum(mark["passed"] for mark in marks)
        return f"{right} of {len(marks)} right, {result['seconds']} s"

    def run(self, waiting: list[Notebook]) -> Generator[Notebook]:
        """Yield each notebook when its process has ended."""
        settings = self.settings
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["diffusion_lite_classroom.examine"])
        free, waiting = cores(), waiting[::-1]
        running: dict[int, tuple] = {}
        try:
            while waiting or running:
                while waiting and free:
                    each, core = waiting.pop(), free.pop()
                    given = (self.record(each), each.path, settings, core)
                    process = context.Process(target=examine_into, args=given)
                    most = (SPANS + 2) * settings.seconds + GRACE
                    end = time.monotonic() + PATIENCE * most
                    with uninterrupted():
                        process.start()
                        running[process.sentinel] = process, each, core, end
                for sentinel in ended(running):
                    process, each, core, _ = running[sentinel]
                    end_group(process)
                    del running[sentinel]
                    free.append(core)
                    yield each
        finally:
            for process, *_ in running.values():
                end_group(process)

    def write(self) -> None:
        """Write the table, and a page for each student."""
        self.out.mkdir(parents=True, exist_ok=True)
        pages: dict[str, dict] = {}
        rows = []
        for each in self.notebooks:
            result = self.result(each)
            pages.setdefault(each.student, {})[each.path.name] = result
            rows += lines(each, result)
        report.write(self.out / "grades.csv", report.table(rows))
        for student, name in report.page_names(pages).items():
            text = report.page(student, pages[student])
            report.write(self.out / name, text)


def say(text: str) -> None:
    """Print a line of progress; if nobody reads it, go on without."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = None


def lines(notebook: Notebook, result: dict) -> list[dict]:
    """Return a notebook's lines of the table."""
    whose = {"student": notebook.student, "notebook": notebook.path.name}
    rows = [
        whose
        | mark
        | {"passed": "yes" if mark["passed"] else "no"}
        | {"seed": "" if mark["seed"] is None else mark["seed"]}
        for mark in result["marks"]
    ]
    nothing = dict.fromkeys(("exercise", "seed", "seconds"), "")
    why = {"passed": "no", "message": " ".join(result["notes"])}
    return rows or [whose | nothing | why]


def cores() -> list:
    """Return the cores that may be used, each for one notebook at a time."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return [None] * (os.cpu_count() or 1)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off: a process that is starting must first be noted."""
    asked = []
    usual = signal.signal(signal.SIGINT, lambda *_: asked.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if asked:
        signal.raise_signal(signal.SIGINT)


def ended(running: dict[int, tuple]) -> list[int]:
    """Return the processes that have ended, or are out of time."""
    late = [
        sentinel
        for sentinel, (*_, end) in running.items()
        if time.monotonic() > end
    ]
    return late or wait(list(running), timeout=1)


def end_group(process: BaseProcess) -> None:
    """End a process and all that it started, unless it ended well."""
    if process.exitcode == 0:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.join()


def grade(submissions: Path, out: Path, settings: dict) -> None:
    """Grade a class, and write what came of it, even if it is stopped."""
    os.environ["OMP_NUM_THREADS"] = "1"
    fonts = matplotlib.get_cachedir()
    room = Class(submissions, out, Settings(fonts=fonts, **settings))
    importlib.import_module("matplotlib.font_manager")  # makes its list
    try:
        room.grade()
    finally:
        room.write()
