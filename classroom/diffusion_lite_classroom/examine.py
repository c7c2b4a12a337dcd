"""Grade one notebook: run it shut in, and check what it hands in.

The checks run here. The notebook's process (``worker``) is asked for what
its functions return, and for nothing else: it decides nothing, and knows
neither the seed nor what is expected. If it ends or hangs it is killed, and
a new one runs the notebook again, without the cell that was to blame.
"""

import json
import os
import re
import secrets
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from socket import socketpair
from tempfile import TemporaryDirectory

import torch

from diffusion_lite.exercises import CHAPTERS, SECONDS, check, names
from diffusion_lite_classroom import report, sandbox
from diffusion_lite_classroom.remote import Peer
from diffusion_lite_classroom.wire import Late, Lost, Pipe, Reader

LARGEST_NOTEBOOK = 20 * 2**20
MOST_CODE = 8 * 2**20
CELL_SECONDS = 60.0
WATCH_SECONDS = 0.2
START_SECONDS = 120.0
RUNS = 6
"""How often a notebook is run again, because a part of it hangs or dies."""

SPANS = 2
"""How often its time may be used up, until what ended is run a last time."""

NO_EXERCISE = 'No exercise is in it: no line like check("forward-1", answer).'
NOT_HANDED_IN = "Not handed in."
LATE = "It did not end in time, and was stopped."
UNCHECKED = "Not checked: what comes before takes too long, or ends it all."

SOLUTION = "### BEGIN SOLUTION"
FULL_LAB = (
    "This is a full lab, with the book's solutions: their cells were not run."
)

HINTS = {
    "ModuleNotFoundError": "(Here is what the labs need, and no network to "
    "install more.)",
    "Errno -3] Temporary failure in name": "(There is no network here.)",
    "Errno 30] Read-only": "(Only the notebook's own folder can be written.)",
    "EOFError": "(Nobody is there to type an answer.)",
}
"""Why what works in a lab does not work here, by a sign of it."""

EACH_CHECK = 256 * 2**20
"""How many bytes an answer may send during one check."""

OWN_MEMORY = 4 * 2**30
"""How much memory the grader of one notebook may take itself."""


class Unreadable(Exception):
    """A file is no notebook that can be run; the text says why."""


@dataclass(frozen=True)
class Settings:
    """How notebooks are run: shut in or not, with how much, how long."""

    isolated: bool
    memory: int
    seconds: int
    fonts: str


@dataclass
class Mark:
    """What came of one exercise."""

    exercise: str
    passed: bool
    message: str
    seed: int | None = None
    seconds: float = 0.0


@dataclass
class Record:
    """What came of one notebook: marks, and notes about its cells."""

    marks: list[Mark] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


# ---- the notebook -----------------------------------------------------------


def read(path: Path) -> bytes:
    """Return a notebook's bytes.

    Raises:
        Unreadable: it is a link, no file, or too large.
    """
    try:
        with open(path, "rb", opener=opened) as file:
            data = file.read(LARGEST_NOTEBOOK + 1)
    except OSError as error:
        why = "a link" if path.is_symlink() else error.strerror
        raise Unreadable(f"It cannot be read: {why}.") from None
    if len(data) > LARGEST_NOTEBOOK:
        size = LARGEST_NOTEBOOK // 2**20
        raise Unreadable(f"It is larger than {size} MB: clear its outputs.")
    return data


def opened(path: str, flags: int) -> int:
    """Open a file, if it is one, and neither a link nor a pipe.

    Raises:
        OSError: it is not.
    """
    number = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(0, "it is not a file")
    return number


def code_cells(data: bytes) -> list[str]:
    """Return the code of a notebook's cells.

    Raises:
        Unreadable: it is no notebook of format 4, or too long.
    """
    try:
        cells = [
            "".join(cell.get("source") or "")
            for cell in json.loads(data)["cells"]
            if cell["cell_type"] == "code"
        ]
        size = len(json.dumps(cells))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unreadable(
            "It is no Jupyter notebook of format 4: save it again."
        ) from None
    if size > MOST_CODE:
        raise Unreadable(
            f"It holds more than {MOST_CODE // 2**20} MB of code."
        )
    return cells


def exercises_of(name: str, cells: list[str]) -> list[str]:
    """Return the exercises of the chapters that a notebook is about.

    Those are the ones that its code names; if none, the one that its file
    is named after.
    """
    code = "\n".join(cells)
    about = [c for c in CHAPTERS if re.search(rf"""["']{c}-""", code)]
    about = about or [c for c in CHAPTERS if c in name.lower()]
    return [name for name in names() if name.rsplit("-", 1)[0] in about]


# ---- its process ------------------------------------------------------------


class Worker:
    """A notebook's process, from its start to its end.

    ``excess`` says what it had too much of, if it was stopped for that.
    """

    def __init__(self, settings: Settings) -> None:
        self.cell, self.excess = -1, ""
        self.scratch = TemporaryDirectory(ignore_cleanup_errors=True)
        ours, theirs = socketpair()
        self.peer = Peer(Pipe(ours))
        self.process = subprocess.Popen(
            command(settings, theirs.fileno(), self.scratch.name),
            pass_fds=[theirs.fileno()],
            cwd=self.scratch.name,
            env=sandbox.surroundings(self.scratch.name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self.watch)
        self.settings = settings

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        if self.watcher.ident:
            self.watcher.join()
        self.process.kill()
        self.process.wait()
        self.peer.pipe.end.close()
        self.scratch.cleanup()

    def watch(self) -> None:
        """Stop the process once all that it started takes too much."""
        pid, cores = self.process.pid, os.sched_getaffinity(0)
        most = self.settings.memory
        while not self.over.wait(WATCH_SECONDS):
            found = sandbox.excess(pid, most, cores, self.before)
            if found:
                self.excess = found
                self.process.kill()
                return

    def allow(self, seconds: float, size: float) -> None:
        """Set how long the process may compute from now, and send."""
        clock = sandbox.stopwatch(self.process.pid)
        self.peer.pipe.allow(seconds, size, clock)

    def run(self, cells: list, skip: list) -> tuple[dict, list]:
        """Run the cells; return what is handed in, and what went wrong.

        The seconds that they have count from the first of them on.

        Raises:
            Lost: the process ended, or did not end in time; self.cell says
                in which cell.
        """
        pipe, left = self.peer.pipe, self.settings.seconds
        self.allow(START_SECONDS, LARGEST_NOTEBOOK)
        if pipe.receive() != {"ready": True}:
            raise Lost("it does not start")
        if self.settings.isolated:
            family = sandbox.family(self.process.pid)
            self.before = sum(map(sandbox.held, family))
            self.watcher.start()
        pipe.send({"cells": cells, "skip": skip})
        message = pipe.receive()
        self.clock = sandbox.stopwatch(self.process.pid)
        while message.keys() == {"cell"}:
            self.cell = int_below(message["cell"], len(cells))
            self.allow(min(CELL_SECONDS, left - self.clock()), pipe.left)
            message = pipe.receive()
        return self.handed_in(message)

    def handed_in(self, message: dict) -> tuple[dict, list]:
        """Return the answers by the names of their exercises, and errors."""
        read = Reader(self.peer.far, None)
        try:
            answers = {
                name: read(value)
                for name, value in message["handed_in"]
                if name in names()
            }
            errors = [
                (int_below(cell, 10**6), noted(f"{kind}: {text}"))
                for cell, kind, text in message["errors"]
            ]
        except (TypeError, ValueError, KeyError):
            raise Lost("its process sends what is no message") from None
        return answers, errors


def noted(error: str) -> str:
    """Return an error as a note, with why it is one here."""
    hints = [hint for sign, hint in HINTS.items() if sign in error]
    return " ".join([error[:300], *hints])


def command(settings: Settings, pipe: int, scratch: str) -> list[str]:
    """Return the command that starts a notebook's process."""
    start = []
    if settings.isolated:
        start = sandbox.bubblewrap(scratch, settings.fonts)
    bounds = asdict(settings)
    del bounds["fonts"]
    worker = ["-m", "diffusion_lite_classroom.worker"]
    return [*start, *sandbox.PYTHON, *worker, json.dumps([pipe, bounds])]


def int_below(value: object, end: int) -> int:
    """Return a whole number from 0 to below end.

    Raises:
        Lost: it is none.
    """
    if type(value) is not int or not 0 <= value < end:
        raise Lost("its process sends what is no message")
    return value


# ---- the checks -------------------------------------------------------------


def examine(name: str, data: bytes, settings: Settings) -> Record:
    """Return what came of a notebook.

    Of a full lab, the cells with the book's solutions are not run: it is
    judged by what its reader wrote.

    Raises:
        RuntimeError: its process does not even start.
    """
    try:
        cells = code_cells(data)
    except Unreadable as error:
        return Record(notes=[str(error)])
    asked = exercises_of(name, cells)
    if not asked:
        return Record(notes=[NO_EXERCISE])
    mine = ["" if cell.startswith(SOLUTION) else cell for cell in cells]
    record = graded(mine, asked, settings)
    if mine != cells:
        record.notes.insert(0, FULL_LAB)
    return record


def graded(cells: list[str], asked: list[str], settings: Settings) -> Record:
    """Run a notebook, as often as it takes, and check what it hands in.

    Each time it has its seconds. If they are used up too often, what ended
    before is run once more, so that what it handed in is checked.
    """
    marks: dict[str, Mark] = {}
    stopped: dict[int, str] = {}
    answers, errors, end = {}, [], len(cells)
    left = SPANS * settings.seconds
    for again in reversed(range(RUNS)):
        with Worker(settings) as worker:
            skip = [*stopped, *range(end, len(cells))]
            try:
                answers, errors = worker.run(cells, skip)
            except Lost as lost:
                blame(worker, lost, stopped)
            left -= worker.clock()
            ended = worker.cell not in stopped
            if ended and examine_all(worker, answers, asked, marks):
                break
        if end < len(cells) or (ended and left <= 0):
            break
        if not ended and (left <= 0 or again == 1):
            end = worker.cell
    for name in asked:
        unknown = name in answers or end < len(cells)
        why = UNCHECKED if unknown else NOT_HANDED_IN
        marks.setdefault(name, Mark(name, False, why))
    notes = sorted([*stopped.items(), *errors])
    return Record(
        [marks[name] for name in asked],
        [f"Code cell {cell + 1}: {text}" for cell, text in notes],
    )


def blame(worker: Worker, lost: Lost, stopped: dict[int, str]) -> None:
    """Note the cell in which a process was lost: it is not run again.

    Raises:
        RuntimeError: it was in none: the process did not start.
    """
    if worker.cell < 0:
        raise RuntimeError(f"A notebook's process does not start: {lost}")
    why = "The process of the whole notebook ended here."
    if worker.excess:
        why = f"It was stopped: {worker.excess}."
    elif isinstance(lost, Late):
        why = LATE
    stopped[worker.cell] = why


def examine_all(
    worker: Worker, answers: dict, asked: list[str], marks: dict[str, Mark]
) -> bool:
    """Check what is not yet checked, as long as the process answers.

    Once it does not answer any more, the rest is left for another: False.
    """
    for name in asked:
        if name not in marks and name in answers:
            marks[name] = examine_one(worker, name, answers[name])
        if not worker.peer.at_rest:
            return False
    return True


def examine_one(worker: Worker, name: str, answer: Callable) -> Mark:
    """Check one answer, with a seed that nobody knew before."""
    seed, start = secrets.randbelow(2**31), time.monotonic()
    worker.peer.held.clear()
    worker.allow(SECONDS, EACH_CHECK)
    verdict = check(name, answer, seed=seed)
    seconds = round(time.monotonic() - start, 2)
    return Mark(name, verdict.passed, verdict.text, seed, seconds)


# ---- a process for each notebook --------------------------------------------


def settle(core: int | None) -> None:
    """Make this process safe to look at what a stranger sends."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        own = sandbox.mapped() + OWN_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (own, most))
        os.sched_setaffinity(0, {core})


def examine_into(
    record: Path, path: Path, settings: Settings, core: int | None
) -> None:
    """Write what came of a notebook to a file; the work of one process."""
    settle(core)
    start = time.monotonic()
    try:
        found = asdict(examine(path.name, read(path), settings))
        found["seconds"] = round(time.monotonic() - start, 1)
        report.write(record, json.dumps(found))
    except Exception as error:  # one notebook of a class
        sys.exit(f"{report.plain(path)}: {report.plain(error)}")
