"""The contest's table, and the verdicts that it allows."""

import math
from itertools import product
from statistics import median

import numpy as np
import pytest
from scipy import stats

from experiments.contest import verdicts
from experiments.contest.results import COLUMNS, ends, read, write
from experiments.contest.search import SIDES
from experiments.contest.verdicts import (
    QUESTIONS,
    Question,
    Verdict,
    advantage,
    all_verdicts,
    answer,
    hodges_lehmann,
    holm,
    interval,
    log_ratio,
    signed_rank,
)
from mutants import mutant

FIRST, SECOND = RING_SIDES = verdicts.PLAIN, verdicts.GAN
RING = Question("ring", "seconds", "energy", RING_SIDES)
INF = math.inf
TWELVE = [0.3, -0.1, 0.55, 0.72, 1.4, -0.2, 0.95, 0.61, 0.4, 1.1, 0.05, 0.8]


def row(method="gan-r1", seed=40, **more):
    """Return a last row of the contest, as the holding writes it."""
    return (
        dict.fromkeys(COLUMNS)
        | {"phase": "contest", "task": "ring", "method": method}
        | {"build": "perceptron", "currency": "seconds", "seed": seed}
        | {"config": {"lr": 0.1}, "steps": 8, "step": 8, "energy": 0.25}
        | {"commit": "abc", "sources": "def", "machine": "a, 2 cores"}
        | more
    )


def table():
    """Return two sides from two seeds, one with an early row."""
    found = [
        row(method, seed)
        for method in ("diffusion", "gan-r1")
        for seed in (41, 40)
    ]
    early = row("gan-r1", 40, step=2, energy=None, distance=0.5)
    return [*found[:3], early, found[3]]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.csv"


# ---- the table -------------------------------------------------------------


def test_what_is_written_is_read_again(path):
    rows = [*table(), row(phase="first", seed=100, task="digits")]
    rows[0] |= {"energy": INF, "precision": 0.0, "modes_lost": 8}
    write(rows, path)
    assert read(path) == rows
    write([], path)
    assert read(path) == []


def test_the_ends_of_a_side_are_its_last_rows_in_the_order_of_the_seeds():
    rows = [*table(), row(phase="third", seed=101)]
    rows += [row(currency="operations"), row(task="digits")]
    rows += [row(build="convolution"), row(phase="first", energy=7.0)]
    rows += [row(seed=41, step=2)]
    found = ends(rows, "ring", "gan-r1", "perceptron", "seconds")
    assert list(found) == [40, 41]
    assert found == {40: rows[4], 41: rows[2]}
    with pytest.raises(ValueError, match="no contest of ring, vae"):
        ends(rows, "ring", "vae", "perceptron", "seconds")


def test_other_columns_are_refused(path):
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"phase, task, .* got a, b"):
        read(path)
    path.write_text("")
    with pytest.raises(ValueError, match="got none"):
        read(path)
    with pytest.raises(FileNotFoundError):
        read(path.with_name("none.csv"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"steps": "many"}, "line 3: steps must be an integer, got 'many'"),
        ({"modes_lost": "1.5"}, "modes_lost must be an integer, got '1.5'"),
        ({"energy": "low"}, "energy must be a number, got 'low'"),
        ({"config": "lr=1"}, "config must be settings in JSON, got 'lr=1'"),
        ({"config": "[1]"}, "config must be settings in JSON"),
        ({"config": '{"lr": NaN}'}, "config must be settings in JSON"),
        ({"energy": math.nan}, "energy must be a number or inf, got NaN"),
        ({"loss": math.nan}, "loss must be a number or inf, got NaN"),
        ({"seed": None}, "seed must not be empty"),
        ({"task": None}, "task must not be empty"),
        ({"machine": None}, "machine must not be empty"),
        ({"phase": "search"}, "one of first, second, third, contest; got"),
        ({"task": "moons"}, "task must be one of ring, digits, .* 'moons'"),
        ({"method": "wgan"}, "method must be one of diffusion, .* 'wgan'"),
        ({"build": "deep"}, "perceptron, convolution, none; got 'deep'"),
        ({"currency": "steps"}, "seconds, operations; got 'steps'"),
        ({"commit": "xyz"}, "rows of 2 commits: abc; xyz"),
        ({"sources": "xyz"}, "rows of 2 sources: def; xyz"),
        ({"machine": "b"}, "rows of 2 machines: a, 2 cores; b"),
        ({"step": 7}, r"got 0: contest, ring, diffusion, .* seed 40"),
        ({"seed": 41}, r"got 2: contest, ring, diffusion, .* seed 41"),
        ({"seed": 41, "config": {"lr": 0.2}}, "got 2: contest, ring"),
        ({"seed": 41, "steps": 9, "step": 9}, "got 2: contest, ring"),
        ({"seed": 42}, "ring, diffusion, perceptron, seconds .* lacks 40"),
        ({"phase": "first"}, "ring, diffusion, .* lacks 40"),
        ({"currency": "operations"}, "perceptron, seconds .* lacks 40"),
    ],
)
def test_a_table_that_would_mislead_is_refused(path, changed, words):
    rows = table()
    write(rows, path)
    read(path)
    rows[1] |= changed
    write(rows, path)
    with pytest.raises(ValueError, match=words):
        read(path)


def test_code_that_was_changed_is_refused(path):
    write([each | {"commit": "abc+"} for each in table()], path)
    with pytest.raises(ValueError, match=r"not changed since; got 'abc\+'"):
        read(path)


def test_a_search_tries_many_settings_from_one_seed(path):
    rows = [row(phase="first", config={"lr": lr}) for lr in (0.1, 0.2)]
    write(rows, path)
    assert read(path) == rows
    write([*rows, rows[1]], path)
    with pytest.raises(ValueError, match=r"got 2: first, .*'lr': 0.2"):
        read(path)


def test_a_line_that_was_cut_is_refused(path):
    write(table(), path)
    text = path.read_text()
    for wrong in (text.rsplit(",", 2)[0], text[:-1] + ",more\n"):
        path.write_text(wrong)
        with pytest.raises(ValueError, match="line 6 must have 31 cells"):
            read(path)


# ---- ranks -----------------------------------------------------------------


def without_the_doubt(right, apart):
    """Return one tail's p, as if the side had been chosen beforehand."""
    lean, p = right(apart)
    return lean, p / 2


def normal(apart):
    found = stats.wilcoxon(apart, method="asymptotic")
    return found.statistic, found.pvalue


@mutant("one tail", signed_rank, without_the_doubt)
@mutant("the normal approximation", signed_rank, normal)
@pytest.mark.parametrize("n", [2, 5, 8, 12])
def test_p_is_scipys_where_nothing_is_equal(n):
    chance = np.random.default_rng(n)
    for shift in (0.0, 0.5, 1.5, -1.5):
        apart = [float(x) for x in chance.normal(shift, 1, n)]
        lean, p = signed_rank(apart)
        expected = stats.wilcoxon(apart, method="exact")
        assert p == pytest.approx(expected.pvalue, rel=1e-12)
        most = n * (n + 1) / 2
        assert (most - abs(lean)) / 2 == expected.statistic
        up = stats.wilcoxon(apart, alternative="greater", method="exact")
        assert (lean + most) / 2 == up.statistic


def by_all_signs(apart):
    """Return p with Pratt's zeros and mean ranks, from all 2^n signs."""
    ranks = stats.rankdata(np.abs(apart))
    ranks[np.array(apart) == 0] = 0
    sums = np.array([*product((-1, 1), repeat=len(apart))]) @ ranks
    lean = float(np.sign(apart) @ ranks)
    return lean, float(np.mean(np.abs(sums) >= abs(lean)))


def dropping_zeros(right, apart):
    return right([d for d in apart if d])


def dropping_the_failures(right, apart):
    return right([d for d in apart if math.isfinite(d)] or [0.0])


@mutant("zeros are dropped before ranking", signed_rank, dropping_zeros)
@mutant("blown up is left out", signed_rank, dropping_the_failures)
@mutant("the normal approximation", signed_rank, normal)
def test_p_is_that_of_all_signs_where_some_are_equal():
    for apart in (
        [0.0, 0.0, 1.0, 2.0, 3.0, -4.0, 5.0],
        [1.0, 1.0, -1.0, 2.0, 2.0, 3.0, 3.0],
        [0.0, 1.0, -1.0, -1.0, INF, INF, -INF],
        [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0],
        [0.0, 0.0, 0.0],
    ):
        assert signed_rank(apart) == pytest.approx(by_all_signs(apart))


def test_what_the_tables_digits_cannot_tell_apart_is_equal():
    blurred = [0.1 + 1e-6, -0.1, 0.1 - 1e-6, 1e-6, 0.2, 0.3]
    assert signed_rank(blurred) == signed_rank([0.1, -0.1, 0.1, 0, 0.2, 0.3])


@mutant("the median", hodges_lehmann, median)
def test_the_middle_is_that_of_all_pairs_means():
    chance = np.random.default_rng(3)
    for n in (1, 2, 5, 12):
        apart = chance.exponential(1, n)
        first, second = np.triu_indices(n)
        expected = np.median((apart[first] + apart[second]) / 2)
        assert hodges_lehmann(apart.tolist()) == pytest.approx(expected)
        assert hodges_lehmann((-apart).tolist()) == pytest.approx(-expected)


@pytest.mark.parametrize(
    ("apart", "middle"),
    [
        ([1.0, 2.0, 3.0, INF], 2.75),  # (2.5 + 3) / 2, four of ten infinite
        ([1.0, INF, INF], INF),
        ([1.0, -INF, -INF], -INF),
        ([INF, -INF], 0.0),
        ([INF, -INF, 3.0], 3.0),
        ([INF, -INF, 3.0, 5.0], 4.0),
        ([0.0, 0.0], 0.0),
    ],
)
def test_the_middle_where_some_blew_up(apart, middle):
    assert hodges_lehmann(apart) == middle


def one_further_in(right, apart):
    """Return the interval with k one too high."""
    means = sorted(verdicts.walsh(apart))
    low, high = (means.index(end) for end in right(apart))
    return means[low + 1], means[high - 1]


def students(apart):
    half = stats.t.ppf(0.975, len(apart)) * np.std(apart) / len(apart)
    return np.mean(apart) - half, np.mean(apart) + half


@mutant("an interval one step too narrow", interval, one_further_in)
@mutant("a wrong Student's interval", interval, students)
def test_the_interval_is_where_the_test_finds_nothing():
    for end, side in zip(interval(TWELVE), (1, -1), strict=True):
        inside, outside = (
            [d - end - step * side for d in TWELVE] for step in (1e-3, -1e-3)
        )
        assert signed_rank(inside)[1] > 0.05 > signed_rank(outside)[1]


@mutant("an interval one step too narrow", interval, one_further_in)
@mutant("a wrong Student's interval", interval, students)
def test_the_interval_covers_as_often_as_it_says():
    """All signs are equally likely about the middle, here 3: each is tried.

    Of the 4096 choices 87 have a sum of ranks of 13 at the most, and as many
    one of 65 at the least.
    """
    sizes = np.random.default_rng(0).exponential(2, 12)
    hits = 0
    for signs in product((-1, 1), repeat=12):
        low, high = interval((3 + signs * sizes).tolist())
        hits += low <= 3 <= high
    assert hits == 4096 - 2 * 87


def test_the_interval_covers_where_some_are_equal_or_blew_up():
    sizes = np.array([0.0, 1.0, 1.0, 2.0, 2.0, 5.0, INF, INF])
    hits = 0
    for signs in product((-1, 1), repeat=8):
        low, high = interval((signs * sizes).tolist())
        hits += low <= 0 <= high
    assert hits / 256 >= 0.95


def test_more_seeds_give_a_narrower_interval():
    chance = np.random.default_rng(1)
    widths = [
        np.mean([np.ptp(interval(x)) for x in chance.normal(0, 1, (50, n))])
        for n in (6, 12, 24)
    ]
    assert widths[0] > 1.3 * widths[1] > 1.3 * 1.3 * widths[2]
    assert interval([1.0] * 5) == (-INF, INF)
    assert interval([1.0] * 6) == (1.0, 1.0)


def test_failures_are_at_the_ends_of_the_interval():
    # 14th from either end: eleven means are infinite, and one is undefined
    means = sorted(verdicts.walsh(TWELVE[:10]))
    assert interval([*TWELVE[:10], INF, -INF]) == (means[1], means[-2])
    assert interval([*TWELVE[:8], *[INF] * 4])[1] == INF
    assert math.isfinite(interval([*TWELVE[:8], *[INF] * 4])[0])
    assert interval([INF] * 6 + [-INF] * 6) == (-INF, INF)


def bonferroni(p_values):
    return [min(1, len(p_values) * p) for p in p_values]


def not_monotone(p_values):
    order = sorted(p_values)
    n = len(p_values)
    return [min(1, (n - order.index(p)) * p) for p in p_values]


def step_up(p_values):
    """Return Hochberg's values: the least of those after it."""
    found = not_monotone(p_values)
    return [
        min(f for f, other in zip(found, p_values, strict=True) if other >= p)
        for p in p_values
    ]


@mutant("Bonferroni", holm, bonferroni)
@mutant("a p may be less than one before it", holm, not_monotone)
@mutant("Hochberg's step-up", holm, step_up)
def test_holms_values_are_those_worked_out_by_hand():
    # 4 * 0.005 = 0.02; 3 * 0.01 = 0.03; 2 * 0.03 = 0.06; 0.04 -> 0.06
    found = holm([0.01, 0.04, 0.03, 0.005])
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


# ---- verdicts --------------------------------------------------------------


def duel(first, second, question=RING):
    """Return rows in which two sides have these values, seed by seed."""
    return [
        row(method, seed, build=build, task=question.task)
        | {question.measure: value, "currency": question.currency}
        for (method, build), values in zip(
            question.sides, (first, second), strict=True
        )
        for seed, value in enumerate(values)
    ]


def judged(first, second, measure="energy", adjusted=0.01):
    question = RING._replace(measure=measure)
    apart = verdicts.differences(duel(first, second, question), question)
    return answer(question, apart, adjusted)


LESS = [0.02 + 0.001 * i for i in range(12)]
MORE = [0.05 + 0.003 * i for i in range(12)]


@mutant("the second over the first", log_ratio, lambda a, b: math.log(b / a))
@pytest.mark.parametrize("measure", ["energy", "frechet", "weights_tv"])
def test_less_of_a_distance_is_better(measure):
    found = judged(LESS, MORE, measure)
    assert found.winner == FIRST
    assert found.wins == (12, 0)
    assert found.ratio == pytest.approx(0.385, abs=0.02)
    assert 0 < found.low < found.ratio < found.high < 1
    assert found.p == 2 / 4096
    other = judged(MORE, LESS, measure)
    assert other.winner == SECOND
    assert other.wins == (0, 12)
    assert other.ratio == pytest.approx(1 / found.ratio)


@pytest.mark.parametrize(
    ("measure", "winner", "wins"),
    [
        ("precision", SECOND, (0, 12)),
        ("recall", SECOND, (0, 12)),
        ("modes_lost", FIRST, (12, 0)),
    ],
)
def test_differences_of_what_is_counted(measure, winner, wins):
    found = judged(LESS, [x + 0.25 for x in LESS], measure)
    assert found.winner == winner
    assert found.wins == wins
    assert found.ratio == found.low == pytest.approx(-0.25)
    turned = judged([x + 0.25 for x in LESS], LESS, measure)
    assert turned.ratio == pytest.approx(0.25)
    assert {winner, turned.winner} == {FIRST, SECOND}


def test_nobody_wins_unless_p_for_all_is_below_the_level():
    assert judged(LESS, MORE, adjusted=0.05).winner is None
    assert judged(LESS, MORE, adjusted=0.0499).winner == FIRST


@mutant("blown up is left out", signed_rank, dropping_the_failures)
def test_a_training_that_blew_up_ranks_last():
    calm = judged(MORE, LESS)
    assert calm.winner == SECOND
    worse = judged(MORE, [*LESS[:11], INF])
    assert worse.wins == (1, 11)
    assert worse.seeds == 12
    assert worse.p == 2 * sum(verdicts.null([*range(1, 13)])[:13]) / 4096
    assert worse.low < calm.low
    lost = judged([*LESS[:4], *[INF] * 8], LESS)
    assert (lost.ratio, lost.high, lost.winner) == (INF, INF, SECOND)


def test_where_both_blew_up_they_are_equal():
    found = judged([INF] * 12, [INF] * 12)
    assert (found.ratio, found.low, found.high, found.p) == (1, 1, 1, 1)
    assert found.wins == (0, 0)
    part = judged([*LESS[:10], INF, INF], [*MORE[:10], INF, INF])
    assert part.wins == (10, 0)
    assert part.p == 2 / 2**10
    assert part.ratio < 1


def test_equal_values_are_equal():
    found = judged(LESS, LESS)
    assert (found.ratio, found.low, found.high, found.p) == (1, 1, 1, 1)
    assert judged([0.0] * 12, [0.0] * 12).p == 1


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (0.0, 0.0, 0.0),
        (INF, INF, 0.0),
        (0.0, 0.5, -INF),
        (0.5, 0.0, INF),
        (INF, 0.0, INF),
        (0.0, INF, -INF),
        (INF, 0.5, INF),
        (2.0, 1.0, math.log(2)),
    ],
)
def test_ratios_of_nothing_and_of_everything(a, b, expected):
    assert log_ratio(a, b) == expected


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="negative, got -1 and 2"):
        log_ratio(-1, 2)
    rows = duel(LESS, MORE)
    with pytest.raises(ValueError, match="on ring has no frechet"):
        verdicts.differences(rows, RING._replace(measure="frechet"))
    with pytest.raises(
        ValueError, match=r"must have the same seeds; got \[1, 2"
    ):
        verdicts.differences(rows[1:], RING)


def full_table():
    """Return rows for all questions; diffusion is better by half."""
    found = {}
    for question, seed in product(QUESTIONS, range(12)):
        for method, build in question.sides:
            key = (question.task, question.currency, method, build, seed)
            value = 0.1 + 0.01 * seed + 0.005 * (build == "convolution")
            value *= 1.0 if method == "diffusion" else 1.5
            found.setdefault(
                key,
                row(method, seed, task=key[0], build=build, currency=key[1]),
            )[question.measure] = value
    return list(found.values())


def test_every_question_that_was_held_is_answered():
    rows = full_table()
    found = all_verdicts(rows)
    assert len(found) == len(QUESTIONS) == 41
    assert [
        (each.task, each.currency, each.measure, each.sides) for each in found
    ] == [tuple(question) for question in QUESTIONS]
    assert [each.adjusted for each in found] == holm([e.p for e in found])
    assert found[0].winner == FIRST
    assert found[0].adjusted == pytest.approx(41 * 2 / 4096)
    ring = [each for each in rows if each["task"] == "ring"]
    few = all_verdicts(ring)
    assert {each.task for each in few} == {"ring"}
    assert few[0].adjusted == pytest.approx(4 * 2 / 4096)
    alone = [each for each in ring if each["method"] == "diffusion"]
    with pytest.raises(ValueError, match="no contest of ring, gan-r1"):
        all_verdicts(alone)
    assert all_verdicts([each | {"phase": "first"} for each in rows]) == []


def test_the_questions_are_about_who_is_held():
    assert len(set(QUESTIONS)) == len(QUESTIONS)
    for task, currency, _, sides in QUESTIONS:
        assert currency == "operations" or not task.startswith("grid")
        assert {(task, *side) for side in sides} <= set(SIDES)


def verdict(ratio, low, high, measure):
    return Verdict(
        *("ring", measure, "seconds", RING_SIDES, ratio, low, high),
        *(0.01, 0.02, None, (11, 1), 12),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0.5, 0.25, 0.8, "energy"), (2.0, 1.25, 4.0)),
        ((0.0, 0.0, 0.5, "frechet"), (INF, 2.0, INF)),
        ((-3.0, -4.0, 1.0, "modes_lost"), (3.0, -1.0, 4.0)),
        ((0.2, 0.1, 0.3, "recall"), (0.2, 0.1, 0.3)),
    ],
)
def test_an_advantage_is_the_first_sides(given, expected):
    assert advantage(verdict(*given)) == pytest.approx(expected)
