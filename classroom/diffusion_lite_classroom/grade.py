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
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import matplotlib

from diffusion_lite import exercises
from diffusion_lite_classroom import report
from diffusion_lite_classroom.examine import (
    Settings,
    Unreadable,
    examine_into,
    read,
)

LAYOUT = "expected a folder for each student: SUBMISSIONS/<student>/*.ipynb"
MOST_NOTEBOOKS = 20
"""How many notebooks of one student are graded."""

GRACE = 180
"""How many seconds longer than its notebook a grading process may live."""

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
        for path in sorted(folder.glob("*.py"))
    )


def students(submissions: Path) -> list[Path]:
    """Return each student's folder.

    Raises:
        ValueError: there is none, or its name is too long for a page's.
    """
    folders = [
        path
        for path in sorted(submissions.iterdir())
        if path.is_dir() and not path.name.startswith(".")
    ]
    if not folders:
        raise ValueError(f"nothing in {submissions}: {LAYOUT}")
    for path in folders:
        if len(os.fsencode(path.name)) > 200:
            raise ValueError(f"a name is too long: {report.plain(path.name)}")
    return folders


def notebooks(folder: Path) -> list[Notebook]:
    """Return a student's notebooks; where there is none, that is noted."""
    student = folder.name
    if folder.is_symlink():
        return [Notebook(student, folder, fault="The folder is a link.")]
    paths = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix == ".ipynb" and not path.name.startswith(".")
    ]
    if not paths:
        return [Notebook(student, folder, fault="There is no notebook.")]
    found = [notebook(student, path) for path in paths[:MOST_NOTEBOOKS]]
    if len(paths) > MOST_NOTEBOOKS:
        fault = f"Only the first {MOST_NOTEBOOKS} notebooks are graded."
        found.append(Notebook(student, folder, fault=fault))
    return found


class Class:
    """A class that is being graded.

    Raises:
        ValueError: there are no students, or the results would be one.
    """

    def __init__(self, submissions: Path, out: Path) -> None:
        if out.resolve().is_relative_to(submissions.resolve()):
            raise ValueError(f"results cannot go into {submissions} itself")
        self.notebooks = [
            each
            for folder in students(submissions)
            for each in notebooks(folder)
        ]
        self.out, self.records = out, out / "records"
        self.records.mkdir(parents=True, exist_ok=True)

    def record(self, notebook: Notebook) -> Path:
        """Return where is kept what came of a notebook."""
        return self.records / f"{notebook.key}.json"

    def result(self, notebook: Notebook) -> dict:
        """Return what came of a notebook."""
        if notebook.fault:
            return {"marks": [], "notes": [notebook.fault]}
        path = self.record(notebook)
        if not path.exists():
            return {"marks": [], "notes": [NOT_DONE]}
        return json.loads(path.read_text(encoding="utf-8"))

    def grade(self, settings: Settings) -> None:
        """Grade what is not graded yet, on all cores; say when each is."""
        waiting = [
            each
            for each in self.notebooks
            if not each.fault and not self.record(each).exists()
        ]
        total = len(waiting)
        print(f"{len(self.notebooks)} notebooks, {total} to grade", flush=True)
        with closing(self.run(waiting, settings)) as done:
            for number, each in enumerate(done, 1):
                what = f"{number}/{total} {each.title}: {self.summary(each)}"
                print(what, flush=True)

    def summary(self, notebook: Notebook) -> str:
        """Return what came of a notebook, in a few words."""
        result = self.result(notebook)
        marks = result["marks"]
        if not marks:
            return " ".join(result["notes"])
        right = sum(mark["passed"] for mark in marks)
        return f"{right} of {len(marks)} right, {result['seconds']} s"

    def run(
        self, waiting: list[Notebook], settings: Settings
    ) -> Generator[Notebook]:
        """Yield each notebook when its process has ended."""
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
                    end = time.monotonic() + settings.seconds + GRACE
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
        pages: dict[str, dict] = {}
        rows = []
        for each in self.notebooks:
            result = self.result(each)
            pages.setdefault(each.student, {})[each.path.name] = result
            rows += lines(each, result)
        report.write(self.out / "grades.csv", report.table(rows))
        for student, results in pages.items():
            text = report.page(student, results)
            report.write(self.out / f"{student}.html", text)


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
    room = Class(submissions, out)
    importlib.import_module("matplotlib.font_manager")  # makes its list
    try:
        room.grade(Settings(fonts=matplotlib.get_cachedir(), **settings))
    finally:
        room.write()
