"""Run the whole contest, and write results.csv: about an hour of two cores.

What a step costs is measured first, one side at a time; all that follows has
its number of steps from that, so another program that runs beside it changes
the seconds that are noted and nothing else. The rows of a job are kept in
_build/contest as soon as it is done: after a stop it goes on where it was.
"""

import hashlib
import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from itertools import chain
from multiprocessing import get_context, parent_process
from pathlib import Path

import torch

from experiments.contest import protocol, results, search
from experiments.contest.protocol import Job, Price, Prices
from experiments.contest.search import AT_ONCE, PLAYERS, SIDES, Side

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ROOT / "_build" / "contest"
CODE = ("diffusion_lite", "experiments/contest")
RUNS = ("reader", "tasks", "networks", "methods", "search", "cost", "protocol")
"""What of the second folder runs in a training."""

SLOW = 1.25


def main() -> None:
    """Price the steps, search the settings, hold the contest, write it."""
    begin = origin()
    prices = priced()
    context = get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, settle) as pool:
        work = partial(run_all, pool, prices, begin)
        first, second, third = searched(work, prices)
        best = {
            side: protocol.winner(rows_of(second[side] + jobs))
            for side, jobs in third.items()
        }
        contest = contest_jobs(best, prices)
        work(contest)
    rows = rows_of([*all_of(first), *all_of(second), *all_of(third), *contest])
    results.write(rows)
    print(f"{len(rows)} rows in {results.TABLE.relative_to(ROOT)}")
    tell_slow(rows, prices)


Jobs = dict[Side, list[Job]]


def all_of(jobs: Jobs) -> list[Job]:
    """Return the jobs of all sides."""
    return [*chain(*jobs.values())]


def searched(work: Callable, prices: Prices) -> tuple[Jobs, Jobs, Jobs]:
    """Run the three rounds of the search; return the jobs of each side."""
    first = {
        side: protocol.first_round(side, prices)
        for side in SIDES
        if side.method not in AT_ONCE
    }
    work(all_of(first))
    second = {
        side: protocol.second_round(side, rows_of(first.get(side, [])), prices)
        for side in SIDES
    }
    work(all_of(second))
    third = {
        side: protocol.third_round(rows_of(jobs))
        for side, jobs in second.items()
    }
    work(all_of(third))
    return first, second, third


def contest_jobs(best: dict[Side, dict], prices: Prices) -> list[Job]:
    """Return the trainings that count, in the order of their seeds."""
    budgets = {kind: operations(kind, best, prices) for kind in search.BATCHES}
    jobs = [
        job
        for side, config in best.items()
        for job in protocol.contest_jobs(side, config, prices, budgets)
    ]
    return sorted(jobs, key=lambda job: job.seed)  # all meet the same hour


def operations(kind: str, best: dict[Side, dict], prices: Prices) -> float:
    """Return the operations that each player can do in the task's seconds."""
    task = {"plane": "ring", "digits": "digits"}[kind]
    each = [
        protocol.affordable(side, config, prices)
        * protocol.price_of(side, config, prices).operations
        for side, config in best.items()
        if side.task == task and side.method in PLAYERS
    ]
    return min(each)


# ---- what a step costs -----------------------------------------------------


def priced() -> Prices:
    """Return what a step of each side costs, measured once and kept."""
    path = PARTS / "prices.json"
    if not path.exists():
        load = os.getloadavg()[0]
        if load > 0.5:
            print(
                f"Another program runs (load {load:.1f}): the prices of a "
                "step may come out too high."
            )
        found = [
            [
                search.kind(side.task),
                *side[1:],
                batch,
                *asdict(protocol.price(side, config)).values(),
            ]
            for side in SIDES
            if side.method not in AT_ONCE and side.task in ("ring", "digits")
            for config, batch in batches(side)
        ]
        keep(path, found)
    return {
        (kind, method, build, batch): Price(seconds, count)
        for kind, method, build, batch, seconds, count in json.loads(
            path.read_text()
        )
    }


def batches(side: Side) -> list[tuple[dict, int]]:
    """Return settings of a side with each batch, at the lowest rate."""
    found: dict[int, dict] = {}
    for config in search.rates(side):
        found.setdefault(config["batch_size"], config)
    return [(config, batch) for batch, config in found.items()]


def tell_slow(rows: list[dict], prices: Prices) -> None:
    """Say how many trainings took longer than their steps had cost."""
    ends = [
        row
        for row in rows
        if row["step"] == row["steps"] and row["method"] not in AT_ONCE
    ]
    slow = [row for row in ends if row["seconds"] > SLOW * alone(row, prices)]
    print(
        f"{len(slow)} of {len(ends)} trainings took more than {SLOW} times "
        "the seconds that their steps had cost alone"
        + (": another program ran beside them." if slow else ".")
    )


def alone(row: dict, prices: Prices) -> float:
    """Return the seconds of a training if nothing runs beside it."""
    side = Side(row["task"], row["method"], row["build"])
    return (
        row["steps"] * protocol.price_of(side, row["config"], prices).seconds
    )


# ---- jobs -------------------------------------------------------------------


def settle() -> None:
    """Let a process work on one core, and end when its parent does."""
    torch.set_num_threads(1)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Wait for the parent, and leave: a job cut short is run again."""
    parent_process().join()
    os._exit(1)


def run_all(
    pool: ProcessPoolExecutor, prices: Prices, begin: dict, jobs: list[Job]
) -> None:
    """Run the jobs that are not done yet, and say when each is."""
    waiting = [job for job in jobs if not part(job).exists()]
    print(f"{len(jobs)} jobs, {len(waiting)} to do", flush=True)
    since = time.monotonic()
    futures = [pool.submit(one, job, prices, begin) for job in waiting]
    for number, future in enumerate(as_completed(futures), 1):
        done, minutes = future.result(), (time.monotonic() - since) / 60
        print(
            f"{minutes:4.1f} min, {number}/{len(waiting)} {done}", flush=True
        )


def rows_of(jobs: list[Job]) -> list[dict]:
    """Return the kept rows of jobs that are done."""
    return [row for job in jobs for row in json.loads(part(job).read_text())]


def one(job: Job, prices: Prices, begin: dict) -> str:
    """Run a job, keep its rows, and return a line about it."""
    rows = [row | begin for row in protocol.run(job, prices)]
    keep(part(job), rows)
    last = rows[-1]
    return (
        f"{job.name}: {last['seconds']:.1f} s, distance {last['distance']:.4f}"
    )


def part(job: Job) -> Path:
    """Return where a job's rows are kept."""
    return PARTS / f"{job.name}.json"


def keep(path: Path, what: object) -> None:
    """Write what there is to a file, whole or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(what))
    unfinished.replace(path)


# ---- what ran, and where ---------------------------------------------------


def origin() -> dict:
    """Return which commit runs, and where; the same one all the way.

    Raises:
        SystemExit: what is kept was made by other code or another machine.
    """
    now = {"commit": commit(), "sources": sources(), "machine": machine()}
    PARTS.mkdir(parents=True, exist_ok=True)
    path = PARTS / "origin.json"
    if not path.exists():
        keep(path, now)
    kept = json.loads(path.read_text())
    for name in ("sources", "machine"):
        if kept[name] != now[name]:
            raise SystemExit(
                f"_build/contest was begun with {name} {kept[name]!r}, and "
                f"now it is {now[name]!r}: go on there, or delete that "
                "folder to begin afresh"
            )
    return kept


def commit() -> str:
    """Return the commit that runs, with a + if its code was changed since."""
    git = partial(subprocess.check_output, cwd=ROOT, text=True)
    name = git(["git", "rev-parse", "--short=12", "HEAD"]).strip()
    changed = git(["git", "status", "--porcelain", *CODE]).strip()
    return name + ("+" if changed else "")


def sources() -> str:
    """Return a hash of all code that a training may run."""
    found = hashlib.sha256()
    for folder in CODE:
        for path in sorted((ROOT / folder).glob("*.py")):
            if folder == CODE[0] or path.stem in RUNS:
                found.update(path.read_bytes())
    return found.hexdigest()[:12]


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
