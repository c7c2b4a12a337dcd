"""How the contest is held: a job, its evaluations, and what they measure.

A *job* is one training of one side from one seed. What it may spend is
turned into a number of steps beforehand, by what a step costs.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial

import torch

from experiments.contest import cost
from experiments.contest.methods import METHODS, Learner
from experiments.contest.search import AT_ONCE, PLAYERS, Side, kind, own, rates
from experiments.contest.tasks import Handwriting, Plane, Task, task

SEEDS = tuple(range(40, 52))
"""One for each training that counts; none of them was used before."""

SEARCH_SEEDS = (100, 101)
SHORT = 1 / 5
"""What the first round of the search may spend, of a whole training."""

MOMENTS = (0.25, 0.5)
"""When a training is evaluated before its end, as shares of its steps."""

TINY = 1e-9  # a distance may be 0, and its logarithm may not
LOST = {"precision": 0.0, "recall": 0.0} | dict.fromkeys(
    ("distance", "energy", "frechet", "weights_tv"), math.inf
)
"""What a training that blew up is given: it ranks last, and stays."""


@dataclass(frozen=True)
class Job:
    """One training: everything that its result follows from."""

    phase: str  # "first", "second", "third" round of the search; "contest"
    task: str
    method: str
    build: str
    currency: str  # what all sides spend the same of
    config: dict
    seed: int
    steps: int

    @property
    def side(self) -> Side:
        """Whose training it is."""
        return Side(self.task, self.method, self.build)

    @property
    def name(self) -> str:
        """A name of its own, also for a file."""
        settings = [f"{value:g}" for value in self.config.values()]
        parts = [self.phase, *self.side, self.currency, *settings]
        return "_".join([*parts, f"{self.seed}", f"{self.steps}"])


@dataclass(frozen=True)
class Price:
    """What one step costs, with each batch of a side."""

    seconds: float
    operations: float


Prices = dict[tuple[str, str, str, int], Price]  # kind, method, build, batch


def first_round(side: Side, prices: Prices) -> list[Job]:
    """Return the jobs that try each rate and batch in a fifth of the time."""
    return [
        Job("first", *side, "seconds", config, SEARCH_SEEDS[0], steps)
        for config in rates(side)
        for steps in [affordable(side, config, prices, SHORT)]
    ]


def second_round(side: Side, rows: list[dict], prices: Prices) -> list[Job]:
    """Return the jobs that try the three best with each setting of its own.

    The rows are those of the side's first round.
    """
    best = sorted(rows, key=lambda row: row["distance"])[:3]
    return [
        Job("second", *side, "seconds", config, SEARCH_SEEDS[0], steps)
        for config in own(side, [row["config"] for row in best])
        for steps in [affordable(side, config, prices)]
    ]


def third_round(rows: list[dict]) -> list[Job]:
    """Return the jobs that try the two best of the second with a new seed."""
    best = sorted(rows, key=lambda row: row["distance"])[:2]
    fields = [field.name for field in dataclasses.fields(Job)]
    again = {"phase": "third", "seed": SEARCH_SEEDS[1]}
    return [
        Job(**{name: row[name] for name in fields} | again) for row in best
    ]


def winner(rows: list[dict]) -> dict:
    """Return the settings with the smallest mean of log distance.

    The rows are those of the second round and of the third; who is not in
    the third does not count.
    """
    tried: dict[str, list[dict]] = {}
    for row in rows:
        tried.setdefault(str(row["config"]), []).append(row)
    best = min(
        (each for each in tried.values() if each[-1]["phase"] == "third"),
        key=lambda each: sum(math.log(row["distance"] + TINY) for row in each),
    )
    return best[0]["config"]


def contest_jobs(
    side: Side, config: dict, prices: Prices, budgets: dict[str, float]
) -> list[Job]:
    """Return a job for each seed and currency, with a side's settings.

    ``budgets`` has the operations of each kind of task. The grids are held
    in operations only, and who is not compared in both in seconds only.
    """
    found = {"seconds": affordable(side, config, prices)}
    if side.method in PLAYERS:
        each = price_of(side, config, prices).operations
        found["operations"] = max(1, round(budgets[kind(side.task)] / each))
    if side.task.startswith("grid") and side.method != "real":
        del found["seconds"]
    return [
        Job("contest", *side, currency, config, seed, steps)
        for seed in SEEDS
        for currency, steps in found.items()
    ]


def affordable(
    side: Side, config: dict, prices: Prices, share: float = 1.0
) -> int:
    """Return how many steps fit into a share of the task's seconds."""
    if side.method in AT_ONCE:
        return 1
    seconds = (Handwriting if side.task == "digits" else Plane).seconds
    each = price_of(side, config, prices).seconds
    return max(1, round(share * seconds / each))


def price_of(side: Side, config: dict, prices: Prices) -> Price:
    """Return what a step of a side costs with some settings."""
    return prices[
        kind(side.task), side.method, side.build, config["batch_size"]
    ]


def price(side: Side, config: dict) -> Price:
    """Measure what a step costs; let nothing else run meanwhile."""
    job = Job("first", *side, "seconds", config, 0, 100)
    _, learner = start(job)
    operations = cost.operations(lambda: next(learner.states))
    return Price(cost.pace(learner.states), operations)


def run(job: Job, prices: Prices) -> Iterator[dict]:
    """Train, evaluate the model now and then, and yield a row each time.

    A training of the contest has every measure at its end. One that blows
    up ends with those of LOST.
    """
    of, learner = start(job)
    moments = {job.steps}
    if job.phase == "contest" and job.currency == "seconds":
        moments |= {math.ceil(share * job.steps) for share in MOMENTS}
    losses, spent = [], 0.0
    try:
        for state, spent in cost.timed(learner.states):
            other = getattr(state, "discriminator_loss", None)
            losses.append((state.loss, other))
            if state.step in moments:
                row = evaluate(job, of, learner, state)
                yield (
                    row | paid(job, state.step, spent, prices) | means(losses)
                )
                losses = []
    except FloatingPointError:
        row = about(job, learner) | {"step": job.steps} | LOST
        row |= {"modes_lost": len(of.weights)}
        yield row | paid(job, job.steps, spent, prices)


def start(job: Job) -> tuple[Task, Learner]:
    """Return the task, and the side at its first step."""
    of = task(job.task, job.seed)
    if job.phase != "contest":
        of.set_test_aside()
    generator = torch.Generator().manual_seed(job.seed)
    torch.manual_seed(job.seed)  # the first weights
    steps = {} if job.method in AT_ONCE else {"steps": job.steps}
    build = METHODS[job.method]
    run = {**steps, "generator": generator}
    return of, build(of, job.build, job.config, **run)


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


def paid(job: Job, steps: int, seconds: float, prices: Prices) -> dict:
    """Return what the training has spent so far, in both currencies."""
    if job.method in AT_ONCE:
        return {"seconds": seconds}
    each = price_of(job.side, job.config, prices).operations
    return {"seconds": seconds, "operations": steps * each}


def evaluate(job: Job, of: Task, learner: Learner, state: object) -> dict:
    """Return a row: the job, the step, and how far from the data it is.

    All evaluations of a training use the same random numbers, so the last
    does not depend on how many came before.
    """
    generator = torch.Generator().manual_seed(20_000 + job.seed)
    sample = partial(learner.sample, state, generator=generator)
    row = about(job, learner) | {"step": state.step}
    if job.phase != "contest" or state.step < job.steps:
        return row | {"distance": of.distance(sample(of.few))}
    x, costs = sample_all(of, sample)
    row |= {"distance": of.distance(x[: of.few])} | costs | of.measures(x)
    if job.task == "ring" and job.currency == "seconds":
        row |= likelihoods(of, learner, state, generator)
    return row


def sample_all(of: Task, sample: partial) -> tuple[torch.Tensor, dict]:
    """Return all samples to be measured, and what one of them costs."""
    blocks = [
        cost.timed_call(partial(sample, of.block)) for _ in range(of.blocks)
    ]
    found = {
        "seconds_one": min(
            cost.timed_call(partial(sample, 1))[1] for _ in range(3)
        ),
        "seconds_block": min(seconds for _, seconds in blocks) / of.block,
        "operations_sample": cost.operations(partial(sample, 1)),
    }
    return torch.cat([x for x, _ in blocks]), found


def likelihoods(
    of: Plane, learner: Learner, state: object, generator: torch.Generator
) -> dict:
    """Return -log p of new points, or bounds on it, where they are known."""
    found = {"nats": learner.nll, "nats_closer": learner.closer}
    return {
        name: float(nll(state, of.real(of.block), generator))
        for name, nll in found.items()
        if nll is not None
    }


def means(losses: list[tuple]) -> dict:
    """Return the mean losses since the last row, None where there is none."""
    columns = zip(*losses, strict=True)
    loss, discriminator_loss = (
        None if None in column else sum(column) / len(column)
        for column in columns
    )
    return {"loss": loss, "discriminator_loss": discriminator_loss}
