"""Checks of chapter 8: seed against seed, many questions, equal budgets."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import mm_flop

from diffusion_lite.exercises.trial import (
    Answer,
    Trial,
    exercise,
    expect,
    flat,
    looked_for,
    near,
    versus,
)


@exercise("contest-1")
def seed_against_seed(trial: Trial) -> str:
    """Hold p against SciPy's, and against what only ranks would change."""
    for n in (9, 11, 12):
        d = tell_apart(trial, lambda n=n: differences(trial, n), by_scipy)
        for sign in (1.0, -1.0):
            holds_p(trial, sign * d)
    for blown in (math.inf, -math.inf):
        holds_p(
            trial,
            tell_apart(
                trial,
                lambda blown=blown: differences(trial, 12, blown),
                by_scipy,
            ),
        )
    all_agree = 1 + trial.normal(15).abs()
    got = trial.number(all_agree)
    expect(
        near(got, 2 / 2**15),
        "Fifteen differences above 0 leave two of 2^15 choices of signs that "
        f"are as far from 0: {versus(got, 2 / 2**15)}",
    )
    return "six sets against SciPy, two with infinity, and fifteen that agree."


def differences(trial: Trial, n: int, blown: float = 0.0) -> Tensor:
    """Return n differences that lean to one side, no two of one size.

    If one side blew up somewhere, one of them is that.
    """
    d = (trial.normal(n) + 0.5) * (1 + 2 * trial.normal(n).abs())
    if blown:
        d[trial.integer(0, n - 1)] = blown
    return d


def by_scipy(d: Tensor) -> float:
    """Return the exact two-sided p; infinite differences are large ones."""
    from scipy import stats

    d = d.nan_to_num(posinf=1e6, neginf=-1e6)
    return float(stats.wilcoxon(d.numpy(), method="exact").pvalue)


def holds_p(trial: Trial, d: Tensor) -> None:
    """Refuse a p that is not SciPy's, or above 1."""
    got = trial.number(d)
    trial.agrees(
        got,
        by_scipy(d),
        f"For {rounded(d)} p is wrong",
        lambda mistake: mistake(d),
        otherwise=" A p is a share: from 0 to 1." if got > 1 else "",
    )


def rounded(numbers: Tensor) -> list[float]:
    """Return numbers to be shown."""
    return [round(x, 2) for x in flat(numbers)]


def tell_apart(trial: Trial, some: Callable[[], Any], right: Answer) -> Any:
    """Return what some() gives where no mistake comes to another's number.

    But for those that are right there.
    """
    while True:
        given = some()
        every = given if isinstance(given, tuple) else (given,)
        want, found = right(*every), []
        for mistake in looked_for(trial.name):
            came = torch.as_tensor(mistake(*every)).double()
            if not near(came, want, 1e-3):
                found.append(came)
        seen = {tuple(round(x, 6) for x in flat(came)) for came in found}
        if len(seen) == len(found) >= MANY[trial.name]:
            return given


MANY = {"contest-1": 10, "contest-2": 13, "contest-3": 11, "contest-4": 12}
"""How many mistakes must go wrong at once where they are told apart."""


@exercise("contest-2")
def many_questions(trial: Trial) -> str:
    """Hold all against Holm's procedure, step by step, and its borders."""
    for _ in range(3):
        m = trial.integer(6, 8)
        p = tell_apart(trial, lambda m=m: some_p(trial, m), step_by_step)
        holds_holm(trial, p, "")
    tied = some_p(trial, 5)
    tied[3] = tied[0]
    holds_holm(trial, tied, ", two of which are equal,")
    holds_holm(trial, 0.5 + some_p(trial, 4) / 2, ", all large,")
    holds_holm(trial, some_p(trial, 4)[:1], ", a single one,")
    return "three rows of p, one with two equal, one of large ones, and one p."


def some_p(trial: Trial, m: int) -> Tensor:
    """Return m values of p by chance, in any order, of which m is 4 or more.

    The lowest two are close, and the largest two are large.
    """
    low = trial.uniform(0.004, 0.008)
    middle = [trial.uniform(0.02, 0.3) for _ in range(m - 4)]
    high = trial.uniform(0.6, 0.8)
    p = [low, *middle, 1.03 * low, high, 1.1 * high]
    order = torch.randperm(m, generator=trial.generator)
    return torch.tensor(p, dtype=torch.float64)[order]


def step_by_step(p: Tensor) -> Tensor:
    """Return for each p the lowest level at which Holm's procedure has it.

    At a level a it goes through the p from the lowest on, holds the k-th of
    m against a / (m - k + 1), and stops at the first that is not below.
    """
    m, row = len(p), sorted(p.tolist())
    levels = [min(1.0, (m - k) * each) for k, each in enumerate(row)]
    first = [max(levels[: row.index(each) + 1]) for each in p.tolist()]
    return torch.tensor(first, dtype=torch.float64)


def holds_holm(trial: Trial, p: Tensor, where: str) -> None:
    """Refuse adjusted p that are not those of Holm's procedure."""
    says = [round(x, 4) for x in p.tolist()]
    trial.agrees(
        trial.tensor(p, shape=(len(p),)),
        step_by_step(p),
        f"For p = {says}{where} one is wrong",
        lambda mistake: mistake(p),
    )


@exercise("contest-3")
def what_a_layer_costs(trial: Trial) -> str:
    """Hold the operations against those of the matrix products it is."""
    strided = tell_apart(trial, lambda: a_layer(trial, 2, False), counted)
    for given in (
        strided,
        a_layer(trial, 1, True),
        a_layer(trial, 1, False),
    ):
        x, weight, y, first = given
        trial.agrees(
            trial.number(*given),
            counted(*given),
            f"For pictures {tuple(x.shape)}, weights {tuple(weight.shape)}, "
            f"an output {tuple(y.shape)} and first = {first} the number is "
            "wrong",
            lambda mistake, given=given: mistake(*given),
            1e-9,
        )
    return "three layers, against the matrix products that they are."


def a_layer(
    trial: Trial, stride: int, first: bool
) -> tuple[Tensor, Tensor, Tensor, bool]:
    """Return a layer's input, weights and output, and whether it is first."""
    c_in, c_out = trial.integer(6, 8), trial.integer(9, 11)
    k, pad = trial.integer(4, 5), trial.integer(0, 1)
    high, wide = trial.integer(7, 9), trial.integer(10, 12)
    x = trial.normal(trial.integer(12, 14), c_in, high, wide)
    weight = trial.normal(c_out, c_in, k, k)
    y = nn.functional.conv2d(x, weight, stride=stride, padding=pad)
    return x, weight, y, first


def counted(x: Tensor, weight: Tensor, y: Tensor, first: bool) -> int:
    """Return the operations of the matrix products that a layer is.

    Forth it is weights (C_out, C_in k^2) times patches (C_in k^2, places);
    back come the slopes in the weights and, but for a first layer, those in
    the patches.
    """
    c_out, patch = weight.flatten(1).shape
    places = y[:, 0].numel()
    forth = mm_flop((c_out, patch), (patch, places))
    weights = mm_flop((c_out, places), (places, patch))
    pictures = mm_flop((patch, c_out), (c_out, places))
    return forth + weights + (0 if first else pictures)


@exercise("contest-4")
def the_share_that_is_told(trial: Trial) -> str:
    """Hold the share of seeds against counting them one by one."""
    for _ in range(3):
        a, b = tell_apart(trial, lambda: two_sides(trial), one_by_one)
        for pair in ((a, b), (b, a)):
            trial.agrees(
                trial.number(*pair),
                one_by_one(*pair),
                f"With the distances {rounded(pair[0])} and "
                f"{rounded(pair[1])} the share is wrong",
                lambda mistake, pair=pair: mistake(*pair),
            )
    n = trial.integer(4, 8)
    lost, fine = torch.full((n,), math.inf).double(), trial.normal(n).abs()
    for pair, want in (((lost, fine), 0.0), ((lost, lost), 0.5)):
        got = trial.number(*pair)
        expect(
            near(got, want),
            "If one side, or both, blew up in every seed, it is wrong: "
            f"{versus(got, want)}",
        )
    return "three sets both ways round, and sides that always blow up."


def two_sides(trial: Trial) -> tuple[Tensor, Tensor]:
    """Return distances of both sides by seed, five of them infinite."""
    n = trial.integer(11, 15)
    luck = 1 + 2 * trial.normal(n).abs()  # of the seed's data, shared
    a, b = (luck * (0.1 * trial.normal(n)).exp() for _ in range(2))
    places = torch.randperm(n, generator=trial.generator)
    a[places[:3]] = math.inf
    b[places[2:4]] = math.inf
    return a, b


def one_by_one(a: Tensor, b: Tensor) -> float:
    """Return the share of the seeds in which a is smaller, ties as halves."""
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    return sum((x < y) + (x == y) / 2 for x, y in pairs) / len(pairs)
