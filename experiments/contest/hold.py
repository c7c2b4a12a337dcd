"""Run the whole contest, and write results.csv.

``make contest`` runs it: on two cores it takes about an hour. The rows of
a job are kept in _build/contest as soon as it is done, so that after a stop
it goes on where it was; ``make clean`` starts it afresh. Let nothing else run
beside it: the seconds of CPU are part of the result.
"""

import json
import os
import platform
import subprocess
import threading
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path

import torch

from experiments.contest import protocol, results
from experiments.contest.search import SEARCH

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ROOT / "_build" / "contest"


def main() -> None:
    """Search the settings, hold the contest, write the table."""
    PARTS.mkdir(parents=True, exist_ok=True)
    origin = {"commit": commit(), "machine": machine()}
    searches = [
        protocol.search_jobs(task, method)
        for task, methods in SEARCH.items()
        for method in methods
    ]
    context = get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, settle) as pool:
        run_all(pool, [job for search in searches for job in search], origin)
        trainings = [
            job
            for search in searches
            for job in protocol.contest_jobs(rows_of(search))
        ]
        trainings.sort(key=lambda job: job.seed)  # all meet the same hour
        run_all(pool, trainings, origin)
    rows = [row for search in searches for row in rows_of(search)]
    rows += rows_of(trainings)
    results.write(rows)
    print(f"{len(rows)} rows in {results.TABLE.relative_to(ROOT)}")


def settle() -> None:
    """Let a process work on one core, and end when its parent does."""
    torch.set_num_threads(1)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Wait for the parent, and leave: a job cut short is run again."""
    parent_process().join()
    os._exit(1)


def run_all(
    pool: ProcessPoolExecutor, jobs: list[protocol.Job], origin: dict
) -> None:
    """Run the jobs that are not done yet, and say when each is."""
    waiting = [job for job in jobs if not part(job).exists()]
    print(f"{len(jobs)} jobs, {len(waiting)} to do", flush=True)
    begin = time.monotonic()
    futures = [pool.submit(one, job, origin) for job in waiting]
    for number, future in enumerate(as_completed(futures), 1):
        done, minutes = future.result(), (time.monotonic() - begin) / 60
        print(
            f"{minutes:4.1f} min, {number}/{len(waiting)} {done}", flush=True
        )


def rows_of(jobs: list[protocol.Job]) -> list[dict]:
    """Return the kept rows of jobs that are done."""
    return [row for job in jobs for row in json.loads(part(job).read_text())]


def one(job: protocol.Job, origin: dict) -> str:
    """Run a job, keep its rows, and return a line about it."""
    rows = [row | origin for row in protocol.run(job)]
    unfinished = part(job).with_suffix(".part")
    unfinished.write_text(json.dumps(rows))
    unfinished.replace(part(job))
    last = rows[-1]
    return (
        f"{job.name}: {last['seconds']:.1f} s, distance {last['distance']:.4f}"
    )


def part(job: protocol.Job) -> Path:
    """Return where a job's rows are kept."""
    return PARTS / f"{job.name}.json"


def commit() -> str:
    """Return the commit that ran, with a + if files were changed since."""
    git = partial(subprocess.check_output, cwd=ROOT, text=True)
    name = git(["git", "rev-parse", "--short=12", "HEAD"]).strip()
    status = ["git", "status", "--porcelain", "diffusion_lite", "experiments"]
    return name + ("+" if git(status).strip() else "")


def machine() -> str:
    """Return the processor, the number of cores, and torch's version."""
    info = Path("/proc/cpuinfo")
    names = [
        line.split(":")[1].strip()
        for line in (info.read_text() if info.exists() else "").splitlines()
        if line.startswith("model name")
    ]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, torch {torch.__version__}"


if __name__ == "__main__":
    main()
