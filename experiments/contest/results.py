"""What the contest found, and what may be said of it.

``results.csv`` has a row for each evaluation of each model. Verdicts are
computed from it: a difference counts if its interval over
the seeds leaves out 0.
"""

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from scipy import stats
from torch import Tensor

TABLE = Path(__file__).with_name("results.csv")

COLUMNS = {
    "phase": str,  # "search" for the settings, or "contest"
    "task": str,
    "method": str,
    "config": json.loads,
    "seed": int,
    "steps": int,  # of the whole training
    "step": int,  # when it was evaluated
    "seconds": float,  # of CPU, until then
    "loss": float,  # mean since the last evaluation
    "discriminator_loss": float,  # the discriminator's, likewise
    "distance": float,  # energy (ring), Frechet (digits), of a few samples;
    # infinite where a training diverged, and then nothing else was measured
    "weights_tv": float,  # total variation of the modes' shares
    "modes_lost": int,
    "energy": float,
    "frechet": float,
    "precision": float,
    "recall": float,
    "nats": float,  # -log p of held-out data, or a bound on it
    "nats_closer": float,  # a closer bound, of 256 samples of the latent
    "seconds_one": float,  # of CPU, for one sample
    "seconds_thousand": float,
    "passes": int,  # of a network, for one sample
    "parameters": int,  # of the network that samples
    "trained": int,  # parameters in all
    "commit": str,
    "machine": str,
}
NAMES = {
    "diffusion": "the diffusion model",
    "gan": "the plain GAN",
    "gan-r1": "the GAN with R1",
    "vae": "the VAE",
    "flow": "the flow",
    "kde": "the kernel density",
    "mixture": "the fitted mixture",
    "real": "real data",
}
HIGHER_IS_BETTER = {"precision", "recall"}
HEADINGS = {  # of a table's lines, and what a number is multiplied by
    "energy": ("energy distance, thousandths", 1000),
    "frechet": ("Fréchet distance", 1),
    "weights_tv": ("error of the shares, %", 100),
    "modes_lost": ("modes lost", 1),
    "precision": ("precision, %", 100),
    "recall": ("recall, %", 100),
    "nats": ("$-\\log p$ of new points, nats", 1),
    "seconds": ("training, seconds", 1),
    "seconds_one": ("one sample, milliseconds", 1000),
    "seconds_thousand": ("a thousand, milliseconds", 1000),
}


def read(path: str | Path = TABLE) -> list[dict]:
    """Return the table's rows; an empty cell is None.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its columns are not COLUMNS.
    """
    with Path(path).open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        if table.fieldnames != list(COLUMNS):
            raise ValueError(
                f"{path} must have the columns {', '.join(COLUMNS)}; got "
                f"{', '.join(table.fieldnames or ['none'])}"
            )
        return [
            {
                name: make(row[name]) if row[name] else None
                for name, make in COLUMNS.items()
            }
            for row in table
        ]


def write(rows: Iterable[dict], path: str | Path = TABLE) -> None:
    """Write the rows as a table; what a row lacks stays empty."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({name: _text(row.get(name)) for name in COLUMNS})


def _text(value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value)
    return f"{value:.6g}" if isinstance(value, float) else value


def trainings(rows: list[dict], task: str, method: str) -> list[list[dict]]:
    """Return the contest's trainings of a method: its rows, by seed.

    Raises:
        ValueError: the contest had no such training.
    """
    mine = _select(rows, "contest", task, method)
    seeds = sorted({row["seed"] for row in mine})
    return [[row for row in mine if row["seed"] == seed] for seed in seeds]


def finished(rows: list[dict], task: str, method: str) -> list[list[dict]]:
    """Return the trainings that came to their end; the others diverged.

    Raises:
        ValueError: the contest had no such training.
    """
    return [
        run
        for run in trainings(rows, task, method)
        if math.isfinite(run[-1]["distance"])
    ]


def searched(rows: list[dict], task: str, method: str) -> list[dict]:
    """Return the trainings with which a method's settings were sought.

    Raises:
        ValueError: there was no such search.
    """
    return _select(rows, "search", task, method)


def _select(
    rows: list[dict], phase: str, task: str, method: str
) -> list[dict]:
    wanted = (phase, task, method)
    found = [
        row
        for row in rows
        if (row["phase"], row["task"], row["method"]) == wanted
    ]
    if not found:
        raise ValueError(f"the table has no {phase} of {method} on {task}")
    return found


def values(rows: list[dict], task: str, method: str, measure: str) -> Tensor:
    """Return a measure at the end of each finished training, (seeds,).

    Raises:
        ValueError: the method has no such measure there.
    """
    found = list(_by_seed(rows, task, method, measure).values())
    return torch.tensor(found, dtype=torch.float64)


def _by_seed(
    rows: list[dict], task: str, method: str, measure: str
) -> dict[int, float]:
    ends = [run[-1] for run in finished(rows, task, method)]
    found = {end["seed"]: end[measure] for end in ends}
    if None in found.values():
        raise ValueError(f"{method} on {task} has no {measure}")
    return found


def mean_interval(x: Tensor) -> tuple[float, float]:
    """Return the mean of (N,) and the half width of its 95 % interval.

    By Student's t: the values are taken as normal, of unknown variance.

    Raises:
        ValueError: fewer than two values.
    """
    if len(x) < 2:
        raise ValueError(f"an interval needs two values, got {len(x)}")
    error = float(x.std()) / math.sqrt(len(x))
    errors = float(stats.t.ppf(0.975, len(x) - 1))
    return float(x.mean()), errors * error


def in_words(x: Tensor) -> str:
    """Return mean and interval of (N,) as text, to the digits that count.

    It does not break: the spaces are hard ones.
    """
    mean, half = mean_interval(x)
    if half == 0:
        return f"{mean:g}"
    digits = max(0, -math.floor(math.log10(half)))
    text = f"{mean:,.{digits}f} ± {half:,.{digits}f}"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def markdown_table(
    rows: list[dict],
    task: str,
    methods: dict[str, str],
    measures: Iterable[str],
) -> str:
    """Return a table, a line a measure and a column a method.

    methods maps a name in the results to its heading; measures are keys of
    HEADINGS. A dash stands where a method has no such measure: real data
    are neither trained nor generated.
    """
    lines = [
        ["", *methods.values()],
        ["---", *["---:"] * len(methods)],
        *(
            [
                HEADINGS[measure][0],
                *(_cell(rows, task, name, measure) for name in methods),
            ]
            for measure in measures
        ),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(rows: list[dict], task: str, method: str, measure: str) -> str:
    ends = [run[-1][measure] for run in finished(rows, task, method)]
    if None in ends or (method == "real" and measure.startswith("seconds")):
        return "–"
    return in_words(HEADINGS[measure][1] * torch.tensor(ends).double())


@dataclass(frozen=True)
class Comparison:
    """Two methods under one measure, seed against seed."""

    measure: str
    names: tuple[str, str]
    means: tuple[float, float]
    difference: float  # first - second, mean over the seeds
    half: float  # half the width of its 95 % interval

    @property
    def winner(self) -> str | None:
        """The better one, or None if the interval has 0 in it."""
        if abs(self.difference) <= self.half:
            return None
        first_is_higher = self.difference > 0
        wants_high = self.measure in HIGHER_IS_BETTER
        return self.names[0 if first_is_higher == wants_high else 1]

    @property
    def verdict(self) -> str:
        """The comparison in words."""
        first, second = (NAMES[name] for name in self.names)
        if self.winner is None:
            return f"no difference between {first} and {second} can be seen"
        loser = self.names[self.winner == self.names[0]]
        return f"{NAMES[self.winner]} is better than {NAMES[loser]}"

    def sentence(self, title: str) -> str:
        """The verdict with its numbers, the better one's first."""
        first, second = (f"{mean:.2g}" for mean in self.means)
        apart = self.in_words
        if self.winner is not None:
            apart = apart.lstrip("-")
        if self.winner == self.names[1]:
            first, second = second, first
        return (
            f"{title}: {self.verdict} ({first} against {second}; the "
            f"difference is {apart})."
        )

    @property
    def in_words(self) -> str:
        """Difference and interval, with digits enough to see which is more.

        It does not break: the spaces are hard ones.
        """
        digits = max(0, 1 - math.floor(math.log10(self.half)))
        while round(abs(self.difference), digits) == round(self.half, digits):
            digits += 1
        text = f"{self.difference:.{digits}f} ± {self.half:.{digits}f}"
        return text.replace(" ", "\N{NO-BREAK SPACE}")


def compare(
    rows: list[dict], task: str, measure: str, first: str, second: str
) -> Comparison:
    """Return how two methods differ, with an interval over the seeds.

    Seed by seed, for both have had the same data; where one of them diverged,
    the seed is left out.
    """
    one, other = (
        _by_seed(rows, task, name, measure) for name in (first, second)
    )
    seeds = sorted(one.keys() & other.keys())
    a, b = (
        torch.tensor([each[seed] for seed in seeds], dtype=torch.float64)
        for each in (one, other)
    )
    difference, half = mean_interval(a - b)
    means = (float(a.mean()), float(b.mean()))
    return Comparison(measure, (first, second), means, difference, half)


def rank_correlation(
    rows: list[dict], task: str, method: str, loss: str = "loss"
) -> Tensor:
    """Return Spearman's correlation of loss and distance, (seeds,).

    Over the rows of each finished training: near 1 where a falling loss
    means a falling distance, near 0 where it means nothing.
    """
    found = [
        stats.spearmanr(
            [row[loss] for row in run],
            [row["distance"] for row in run],
        ).statistic
        for run in finished(rows, task, method)
    ]
    return torch.tensor(found, dtype=torch.float64)


def clock_correlation(rows: list[dict], task: str, method: str) -> Tensor:
    """Return the correlation of a loss that is minus the number of steps.

    As rank_correlation, (seeds,). What a loss says about the distance counts
    only if it is more than this: samples get better with time.
    """
    return -rank_correlation(rows, task, method, "step")
