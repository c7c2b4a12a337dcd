"""What may be said of the contest: two sides, seed against seed.

Nothing is assumed of how measures are spread, and nothing is approximated:
signs and ranks are counted (Wilcoxon's signed-rank test). So a training that
blew up keeps its place, the last, and needs no number.

Of an energy or a Frechet distance or an error of shares the logarithms are
compared: what comes out is a ratio. A distance can be 0, or infinite after a
training blew up: 0 against more than 0 is a ratio of 0, infinite against
finite an infinite one, and the two sides are equal if both have 0, or both
blew up. Of the other measures differences are compared.
"""

import math
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import NamedTuple

from experiments.contest.results import ends

NAMES = {
    "diffusion": "the diffusion model",
    "gan-r1": "the GAN with R1",
    "perceptron": "of perceptrons",
    "convolution": "of convolutions",
    "ring": "the ring",
    "grid25": "the grid of 25",
    "grid100": "the grid of 100",
    "grid400": "the grid of 400",
    "digits": "the digits",
    "energy": "energy distance",
    "frechet": "Fréchet distance",
    "weights_tv": "error of the shares",
    "modes_lost": "modes lost",
}
LEVEL = 0.05
TIE = 1e-5
"""What differs by less is equal: the table's numbers have six digits."""

RATIOS = ("energy", "frechet", "weights_tv")
HIGHER_IS_BETTER = ("precision", "recall")

Side = tuple[str, str]  # method, build
PLAIN: Side = ("diffusion", "perceptron")
CONVOLVED: Side = ("diffusion", "convolution")
GAN: Side = ("gan-r1", "perceptron")
CONVOLVED_GAN: Side = ("gan-r1", "convolution")


class Question(NamedTuple):
    """What is asked: which of two sides is better in a measure."""

    task: str
    currency: str
    measure: str
    sides: tuple[Side, Side]


PLANE = ("energy", "weights_tv")
DIGITS = ("frechet", "energy")
BOTH = ("seconds", "operations")
ASKED = [  # task, currencies, measures, sides
    ("ring", BOTH, PLANE, (PLAIN, GAN)),
    *(
        (grid, ("operations",), (*PLANE, "modes_lost"), (PLAIN, GAN))
        for grid in ("grid25", "grid100", "grid400")
    ),
    ("digits", BOTH, (*DIGITS, *HIGHER_IS_BETTER), (PLAIN, GAN)),
    ("digits", BOTH, (*DIGITS, *HIGHER_IS_BETTER), (CONVOLVED, CONVOLVED_GAN)),
    ("digits", BOTH, DIGITS, (CONVOLVED, PLAIN)),
    ("digits", BOTH, DIGITS, (CONVOLVED_GAN, GAN)),
    ("digits", BOTH, DIGITS, (CONVOLVED, GAN)),
]
QUESTIONS = tuple(
    Question(task, currency, measure, sides)
    for task, currencies, measures, sides in ASKED
    for currency, measure in product(currencies, measures)
)
"""All that is asked: fixed before the table was read, after an earlier contest
on the same data."""


@dataclass(frozen=True)
class Verdict:
    """The answer to a question."""

    task: str
    measure: str
    currency: str
    sides: tuple[Side, Side]
    ratio: float  # first / second; first - second if not one of RATIOS
    low: float  # of its 95 % interval, for this question alone
    high: float
    p: float  # for this question alone
    adjusted: float  # for all questions together
    winner: Side | None
    wins: tuple[int, int]  # seeds where the first was better, and the second
    seeds: int


def all_verdicts(rows: list[dict]) -> list[Verdict]:
    """Answer each of QUESTIONS whose task and currency the contest had.

    Raises:
        ValueError: one of a question's sides is not there, lacks the measure
            or was not trained from the same seeds.
    """
    held = {
        (row["task"], row["currency"])
        for row in rows
        if row["phase"] == "contest"
    }
    asked = [each for each in QUESTIONS if each[:2] in held]
    apart = [differences(rows, each) for each in asked]
    adjusted = holm([signed_rank(each)[1] for each in apart])
    return [answer(*each) for each in zip(asked, apart, adjusted, strict=True)]


def answer(question: Question, apart: list[float], adjusted: float) -> Verdict:
    """Return what the differences by seed say, given p adjusted."""
    task, currency, measure, sides = question
    lean, p = signed_rank(apart)
    low, high = interval(apart)
    estimate = hodges_lehmann(apart)
    if measure in RATIOS:
        estimate, low, high = map(math.exp, (estimate, low, high))
    higher = measure in HIGHER_IS_BETTER
    better = sides[0 if (lean > 0) == higher else 1]
    wins = [sum(sign * d > TIE for d in apart) for sign in (-1, 1)]
    return Verdict(
        *(task, measure, currency, sides),
        *(estimate, low, high, p, adjusted),
        winner=better if adjusted < LEVEL else None,
        wins=tuple(wins[::-1] if higher else wins),
        seeds=len(apart),
    )


def differences(rows: list[dict], question: Question) -> list[float]:
    """Return first - second by seed, of logarithms for one of RATIOS.

    Raises:
        ValueError: a side is not in the contest, lacks the measure, or was
            not trained from the seeds of the other.
    """
    task, currency, measure, sides = question
    first, second = (ends(rows, task, *side, currency) for side in sides)
    if first.keys() != second.keys():
        raise ValueError(
            f"{sides[0]} and {sides[1]} on {task} must have the same seeds; "
            f"got {[*first]} and {[*second]}"
        )
    pairs = [(first[seed][measure], second[seed][measure]) for seed in first]
    if None in {value for pair in pairs for value in pair}:
        raise ValueError(
            f"{sides[0]} or {sides[1]} on {task} has no {measure}"
        )
    apart = log_ratio if measure in RATIOS else lambda a, b: float(a - b)
    return [apart(*pair) for pair in pairs]


def log_ratio(a: float, b: float) -> float:
    """Return log(a / b) of two distances.

    It is 0 where they are equal, also both 0 or both infinite; minus
    infinity if only a is 0 or only b infinite, and infinity the other way.

    Raises:
        ValueError: a distance is negative.
    """
    if min(a, b) < 0:
        raise ValueError(f"distances must not be negative, got {a} and {b}")
    if a == b:
        return 0.0
    if 0 in (a, b) or math.inf in (a, b):
        return math.inf if a > b else -math.inf
    return math.log(a) - math.log(b)


def signed_rank(apart: list[float]) -> tuple[float, float]:
    """Return which way the differences lean, and the exact two-sided p.

    The sum of the ranks of those above 0, less that of those below, is
    compared with the sums that all choices of signs would give. Equal sizes,
    infinite ones too, share the mean of their ranks. Zeros are ranked with
    the rest, the lowest, and then have no sign (Pratt's way).

    Source: Wilcoxon 1945; Pratt 1959.
    """
    sizes = [abs(d) for d in apart]
    ranks = [_doubled_rank(size, sizes) if size > TIE else 0 for size in sizes]
    lean = sum(math.copysign(r, d) for r, d in zip(ranks, apart, strict=True))
    counts, total = null(ranks), sum(ranks)
    as_far = sum(
        count
        for above, count in enumerate(counts)
        if abs(2 * above - total) >= abs(lean)
    )
    return lean / 2, as_far / 2 ** len(ranks)


def _doubled_rank(size: float, sizes: list[float]) -> int:
    """Return twice the rank among sizes, the mean of those it is equal to."""
    equal = [math.isclose(size, x, rel_tol=0, abs_tol=TIE) for x in sizes]
    lower = [x < size for x in sizes]
    return (
        1
        + sum(equal)
        + 2 * sum(x and not same for x, same in zip(lower, equal, strict=True))
    )


def null(ranks: list[int]) -> list[int]:
    """Return in how many ways some of the ranks have the sum 0, 1, 2, ..."""
    ways = [1]
    for rank in ranks:
        none = [0] * rank
        with_and_without = zip(none + ways, ways + none, strict=True)
        ways = [a + b for a, b in with_and_without]
    return ways


def walsh(apart: list[float]) -> list[float]:
    """Return the means of all pairs, each with itself too; NaN for inf - inf.

    Source: Walsh 1949.
    """
    pairs = combinations_with_replacement(apart, 2)
    return [a / 2 + b / 2 for a, b in pairs]


def hodges_lehmann(apart: list[float]) -> float:
    """Return the median of the pairs' means: where apart has its middle.

    A pair of minus and plus infinity is on neither side of any number, and
    is left out. If the two middle means are infinite the two ways, it is 0.

    Source: Hodges and Lehmann 1963.
    """
    means = sorted(x for x in walsh(apart) if not math.isnan(x))
    middle = (len(means) - 1) // 2
    low, high = means[middle], means[-1 - middle]
    return 0.0 if low == -high else low / 2 + high / 2


def interval(apart: list[float]) -> tuple[float, float]:
    """Return the exact 95 % interval that belongs to the signed-rank test.

    From the k-th lowest of the pairs' means to the k-th highest, where k is
    as high as the null distribution without ties allows; with ties it covers
    more often. Pairs of minus and plus infinity count as outside, at either
    end. Fewer than six differences allow nothing but all numbers.

    Source: Hollander and Wolfe 1973, section 3.3.
    """
    below, k = 0, 0
    for ways in null(list(range(1, len(apart) + 1))):
        below += ways
        if below > LEVEL / 2 * 2 ** len(apart):
            break
        k += 1
    if k == 0:
        return -math.inf, math.inf
    low, high = (
        sorted(end if math.isnan(x) else x for x in walsh(apart))
        for end in (-math.inf, math.inf)
    )
    return low[k - 1], high[-k]


def holm(p_values: list[float]) -> list[float]:
    """Return p values that may each be held against the level for one.

    The lowest is multiplied by their number n, the next by n - 1, and so on;
    none may be less than one before it.

    Source: Holm 1979.
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for before, i in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - before) * p_values[i]))
        adjusted[i] = least
    return adjusted


def advantage(verdict: Verdict) -> tuple[float, float, float]:
    """Return by how much the first side is better, and the interval's ends.

    As a ratio of distances, above 1 if it is; as a difference, above 0.
    """
    middle, low, high = verdict.ratio, verdict.low, verdict.high
    if verdict.measure in HIGHER_IS_BETTER:
        return middle, low, high
    if verdict.measure not in RATIOS:
        return -middle, -high, -low
    middle, high, low = (1 / x if x else math.inf for x in (middle, low, high))
    return middle, low, high
