"""Execute pages and labs side by side, and put the results into the cache.

Jupyter Book would execute them one after another, and one training run uses
little more than one core well. Here each has a process of its own, its kernel,
with one thread; as many run as there are cores, the longest first. What is
stored is what myst-nb would have stored: its own reader makes the notebook,
nbclient executes it in the page's folder, jupyter-cache keeps it. Sphinx then
finds every result in the cache and executes nothing.

A result is stored as soon as its page is done, so whatever ends a build, the
next one goes on from there.
"""

import asyncio
import json
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field, fields
from pathlib import Path

from jupyter_book.config import get_final_config
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal
from nbformat import NotebookNode

# A kernel with threads waits for its neighbours' threads.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Seconds that the house allows: a guess, where a page was never executed.
LIMIT = {".ipynb": 90.0, ".md": 10.0}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Failed(Exception):
    """A page could not be executed; the message says which cell, and why."""


@dataclass
class Progress:
    """How far it is, and about how long it will take.

    Attributes:
        known: Seconds that a page took last time.
        total: How many pages there are to do.
        jobs: How many run at once.
    """

    known: dict[str, float]
    total: int
    jobs: int
    began: float = field(default_factory=lambda: time.monotonic())
    running: dict[str, float] = field(default_factory=dict)
    waiting: deque[str] = field(default_factory=deque)
    done: int = 0

    def __str__(self) -> str:
        head = f"  {self.done} of {self.total} done"
        if self.done == self.total:
            return f"{head}, in {minutes(time.monotonic() - self.began)}"
        names = ", ".join(map(title, self.running))
        return f"{head}, running: {names}; about {minutes(self.left())} more"

    def left(self) -> float:
        """Return about how many seconds are left."""
        now = time.monotonic()
        rest = [
            max(guess(name, self.known) - (now - began), 0.0)
            for name, began in self.running.items()
        ]
        rest += [guess(name, self.known) for name in self.waiting]
        return max(sum(rest) / self.jobs, *rest)


def guess(name: str, known: dict[str, float]) -> float:
    """Return a page's seconds last time; at first, what it may take."""
    return known.get(name, LIMIT[Path(name).suffix])


def minutes(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes"


def title(name: str) -> str:
    """Return a page's name as a reader knows it."""
    stem = Path(name).stem
    return f"{stem} (lab)" if name.endswith(".ipynb") else stem


def cores() -> int:
    """Return how many pages run at once: JOBS, or as many as cores."""
    if asked := os.environ.get("JOBS"):
        if not asked.isdecimal() or int(asked) < 1:
            sys.exit(f"JOBS is {asked}, but must be 1, 2 or more.")
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Client(NotebookClient):
    """Executes a notebook; its kernel ends with it, at the latest."""

    def _cleanup_kernel(self) -> None:
        """Do nothing at exit, where nbclient may wait for ever.

        It would talk once more with a kernel that was ended while it started.
        """


class Executor:
    """Executes the pages of one book.

    Args:
        root: The book's folder.
        environment: The variables that the kernels get.
    """

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.environment = {**environment, **dict.fromkeys(THREADS, "1")}
        self.cache = get_cache(root / "_build" / ".jupyter_cache")
        config, _ = get_final_config(
            user_yaml=root / "_config.yml",
            cli_config={"latex_individualpages": False},
        )
        self.timeout = config["nb_execution_timeout"]
        self.markdown = MdParserConfig(
            **{
                each.name: config[f"myst_{each.name}"]
                for each in fields(MdParserConfig)
                if f"myst_{each.name}" in config
            }
        )
        self.notebooks: dict[str, NotebookNode] = {}

    def execute(self, pages: list[Path]) -> None:
        """Execute every page whose results are not in the cache.

        Raises:
            Failed: One could not be executed; the others are stopped.
        """
        for page in pages:
            notebook = self.read(page)
            if notebook is not None and not self.cached(notebook):
                name = page.relative_to(self.root).as_posix()
                self.notebooks[name] = notebook
        if not self.notebooks:
            return
        known, total = self.seconds(), len(self.notebooks)
        progress = Progress(known, total, min(cores(), total))
        progress.waiting.extend(
            sorted(
                self.notebooks, key=lambda name: (-guess(name, known), name)
            )
        )
        print(f"Executing {total} pages and labs:", flush=True)
        in_a_thread(self.side_by_side(progress))

    def read(self, page: Path) -> NotebookNode | None:
        """Return a page as myst-nb reads it; None if it has no cells."""
        text = page.read_text(encoding="utf-8-sig")
        config = NbParserConfig()
        reader = create_nb_reader(str(page), self.markdown, config, text)
        return reader and reader.read(text)

    def cached(self, notebook: NotebookNode) -> bool:
        """Return whether there are results of these cells."""
        try:
            self.cache.match_cache_notebook(notebook)
        except KeyError:
            return False
        return True

    def seconds(self) -> dict[str, float]:
        """Return how long each page took when it was last executed."""
        file = self.root / "_build" / "seconds.json"
        return json.loads(file.read_text()) if file.exists() else {}

    async def side_by_side(self, progress: Progress) -> None:
        """Execute what waits, as many at once as there are jobs."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(progress.jobs):
                    group.create_task(self.one_by_one(progress))
        except BaseExceptionGroup as failures:
            # Those after the first are only what its end did to the others.
            raise failures.exceptions[0] from None

    async def one_by_one(self, progress: Progress) -> None:
        """Take the first that waits and execute it, until none waits."""
        while progress.waiting:
            name = progress.waiting.popleft()
            began = progress.running[name] = time.monotonic()
            full = len(progress.running) == progress.jobs
            if full or not progress.waiting:
                print(progress, flush=True)
            await self.run(name)
            took = time.monotonic() - began
            del progress.running[name]
            progress.done += 1
            self.store(name, took)
        print(progress, flush=True)

    async def run(self, name: str) -> None:
        """Execute one page in a kernel of its own."""
        notebook = self.notebooks[name]
        folder = str((self.root / name).parent)
        client = Client(
            notebook,
            timeout=self.timeout,
            record_timing=False,  # kept with a cell, it would change its hash
            resources={"metadata": {"path": folder}},
        )
        try:
            await client.async_execute(env=self.environment)
        except (CellControlSignal, RuntimeError) as error:
            raise Failed(complaint(name, notebook, error)) from None
        finally:
            if client.km is not None and await client.km.is_alive():
                await client.km.shutdown_kernel(now=True)

    def store(self, name: str, took: float) -> None:
        """Put a page's results into the cache, and note how long it took."""
        bundle = CacheBundleIn(
            self.notebooks[name],
            str(self.root / name),
            data={"execution_seconds": took},
        )
        self.cache.cache_notebook_bundle(
            bundle, check_validity=False, overwrite=True
        )
        file = self.root / "_build" / "seconds.json"
        known = {**self.seconds(), name: round(took, 1)}
        file.write_text(json.dumps(known, indent=1))


def complaint(name: str, notebook: NotebookNode, error: Exception) -> str:
    """Return what went wrong: the page, the cell, and the traceback."""
    said = COLOUR.sub("", str(error)).strip()
    started = [
        number
        for number, cell in enumerate(notebook.cells, 1)
        if cell.cell_type == "code" and cell.get("execution_count")
    ]
    where = f"cell {started[-1]}" if started else "before its first cell"
    lines = notebook.metadata.get("source_map")
    if started and lines:
        where += f", line {lines[started[-1] - 1] + 1}"
    return f"{name}, {where}: {said}"


def in_a_thread(work: Coroutine) -> None:
    """Run a coroutine to its end in a thread; Ctrl-C here cancels it.

    In the main thread each client of nbclient would take Ctrl-C for itself,
    and only the last would hear it. The loop is one that zmq can use on
    Windows as well.
    """
    loop = asyncio.SelectorEventLoop()
    task = loop.create_task(work)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except BaseException as error:
            failed.append(error)
        finally:
            rest = asyncio.all_tasks(loop)
            for each in rest:
                each.cancel()
            if rest:
                loop.run_until_complete(asyncio.wait(rest))
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)  # without a limit Windows would not hear Ctrl-C
    except BaseException:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if failed:
        raise failed[0]
