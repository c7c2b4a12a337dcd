"""How the contest is held: a job, its evaluations, and what they measure.

A *job* is one training of one method from one seed. Every method gets the
same data, about as many parameters where it samples, and the same CPU seconds
on one core, for the search of its settings and for the trainings that count.
``make contest`` runs all jobs; what they find is in ``results``.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch
from torch import Tensor

from diffusion_lite import metrics
from experiments.contest.methods import METHODS, Learner
from experiments.contest.search import SEARCH
from experiments.contest.tasks import TASKS, Task

MOMENTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""When in a training its quality is evaluated, as shares of its steps."""

SEEDS = tuple(range(20, 30))
"""One for each training that counts; those below were used before."""

SEARCH_SEEDS = (100, 101)
"""Those of the search, which the contest does not use again."""


@dataclass(frozen=True)
class Job:
    """One training: everything that its result follows from."""

    phase: str  # "search" for the settings, or "contest"
    task: str
    method: str
    config: dict
    seed: int
    steps: int  # 0: as many as fit into the task's seconds, see affordable

    @property
    def name(self) -> str:
        """A name of its own, also for a file."""
        settings = [f"{value:g}" for value in self.config.values()]
        return "_".join(
            [self.phase, self.task, self.method, *settings, f"{self.seed}"]
        )

    @property
    def is_loop(self) -> bool:
        """Whether it trains step by step, and not at once."""
        return "lr" in self.config


def search_jobs(task: str, method: str) -> list[Job]:
    """Return a job for each of an method's settings and search seeds."""
    return [
        Job("search", task, method, config, seed, steps=0)
        for config in SEARCH[task][method]
        for seed in SEARCH_SEEDS
    ]


def contest_jobs(rows: list[dict]) -> list[Job]:
    """Return a job for each seed, with the best settings of a search.

    The rows are those of one method's search; the best settings are those
    of the smallest mean distance. The steps are as many as fit into the
    task's seconds, at the pace that the search measured.
    """
    best = best_of_search(rows)
    first, task = best[0], TASKS[best[0]["task"]]
    job = Job("contest", first["task"], first["method"], first["config"], 0, 1)
    if job.is_loop:
        steps, seconds = (
            sum(row[key] for row in best) for key in ("steps", "seconds")
        )
        job = replace(job, steps=round(steps * task.seconds / seconds))
    return [replace(job, seed=seed) for seed in SEEDS]


def best_of_search(rows: list[dict]) -> list[dict]:
    """Return the rows of the settings whose mean distance is smallest."""
    tried = {}
    for row in rows:
        tried.setdefault(str(row["config"]), []).append(row)
    return min(
        tried.values(), key=lambda each: sum(row["distance"] for row in each)
    )


def run(job: Job) -> Iterator[dict]:
    """Train, evaluate the model now and then, and yield a row each time.

    In a search there is one evaluation, at the end. In the contest there is
    one at each of the MOMENTS, and the last row has every measure. A training
    that diverges ends with an infinite distance.
    """
    job = job if job.steps else replace(job, steps=affordable(job))
    task, learner = start(job)
    moments = {job.steps}
    if job.phase == "contest":
        moments |= {math.ceil(share * job.steps) for share in MOMENTS}
    losses, spent = [], 0.0
    try:
        for state, spent in timed(learner.states):
            other = getattr(state, "discriminator_loss", None)
            losses.append((state.loss, other))
            if state.step in moments:
                row = evaluate(job, task, learner, state)
                yield row | {"seconds": spent} | means(losses)
                losses = []
    except FloatingPointError:
        row = about(job, learner) | {"step": job.steps, "seconds": spent}
        yield row | {"distance": math.inf}


def start(job: Job) -> tuple[Task, Learner]:
    """Return the task, and the method at its first step."""
    generator = torch.Generator().manual_seed(job.seed)
    torch.manual_seed(job.seed)  # the first weights
    task = TASKS[job.task](generator)
    if job.phase == "search":
        task.set_test_aside()
    build = METHODS[job.method]
    steps = {"steps": job.steps} if job.is_loop else {}
    return task, build(task, job.config, **steps, generator=generator)


def timed(states: Iterator) -> Iterator[tuple[object, float]]:
    """Yield each state with the CPU seconds that all so far have taken."""
    seconds, begin = 0.0, time.process_time()
    for state in states:
        seconds += time.process_time() - begin
        yield state, seconds
        begin = time.process_time()


def affordable(job: Job, tried: int = 60) -> int:
    """Return how many steps fit into the task's seconds on this machine."""
    if not job.is_loop:
        return 1
    _, learner = start(replace(job, steps=2 * tried))
    spent = [seconds for _, seconds in timed(learner.states)]
    pace = (spent[-1] - spent[tried - 1]) / tried
    return round(TASKS[job.task].seconds / pace)


def about(job: Job, learner: Learner) -> dict:
    """Return what is the same in all rows of a job."""
    counts = [
        sum(p.numel() for p in part.parameters()) for part in learner.parts
    ]
    return asdict(job) | {
        "parameters": counts[0] if counts else None,
        "trained": sum(counts) if counts else None,
        "passes": learner.passes,
    }


def evaluate(job: Job, task: Task, learner: Learner, state: object) -> dict:
    """Return a row: the job, the step, and how far from the data it is.

    At the end of a training of the contest, every measure. All evaluations
    of a training use the same random numbers, so they differ by what it has
    learned, and the last does not depend on how many came before.
    """
    generator = torch.Generator().manual_seed(1000 + job.seed)
    sample = partial(learner.sample, state, generator=generator)
    n = task.few if job.phase == "contest" else task.block
    row = about(job, learner) | {"step": state.step}
    if job.phase == "contest" and state.step == job.steps:
        x, times = sample_all(task, sample)
        row |= times | measures(task, x)
        row |= likelihoods(task, learner, state, generator)
    else:
        x = sample(n)
    real = task.features(task.real(n))
    distance = task.distance(task.features(x[:n]), real)
    return row | {"distance": float(distance)}


def sample_all(task: Task, sample: Callable) -> tuple[Tensor, dict]:
    """Return all samples to be measured, and what a few of them cost."""
    _, one = fastest(lambda: sample(1))
    x, thousand = fastest(lambda: sample(1000))
    x = torch.cat([x, sample(task.samples - 1000)])
    return x, {"seconds_one": one, "seconds_thousand": thousand}


def fastest(call: Callable) -> tuple[Tensor, float]:
    """Return the last result of three calls, and the fastest's CPU seconds.

    Of fewer calls, if they are slow.
    """
    spent = []
    while len(spent) < 3 and sum(spent) < 5:
        begin = time.process_time()
        result = call()
        spent.append(time.process_time() - begin)
    return result, min(spent)


def measures(task: Task, x: Tensor) -> dict:
    """Return what can be said of the samples x alone, (samples, ...)."""
    shares = task.shares(x)
    made = task.features(x[: task.block])
    real = task.features(task.real(task.block))
    precision, recall = metrics.precision_recall(made, real)
    return {
        "weights_tv": float(metrics.total_variation(shares, task.weights)),
        "modes_lost": metrics.modes_lost(shares, task.weights),
        "energy": float(metrics.energy_distance(made, real)),
        "frechet": float(metrics.frechet_distance(made, real)),
        "precision": precision,
        "recall": recall,
    }


def likelihoods(
    task: Task, learner: Learner, state: object, generator: torch.Generator
) -> dict:
    """Return -log p of new points, or bounds on it, where they are known."""
    found = {"nats": learner.nll, "nats_closer": learner.closer}
    return {
        name: float(nll(state, task.real(task.nats), generator))
        for name, nll in found.items()
        if nll is not None and task.nats
    }


def means(losses: list[tuple]) -> dict:
    """Return the mean losses since the last row, None where there is none."""
    columns = zip(*losses, strict=True)
    loss, discriminator_loss = (
        None if None in column else sum(column) / len(column)
        for column in columns
    )
    return {"loss": loss, "discriminator_loss": discriminator_loss}
