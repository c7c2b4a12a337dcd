"""Checks of chapter 11: two answers, labels, a classifier, what w names."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from diffusion_lite.exercises.trial import (
    Answer,
    Trial,
    advising,
    as_tensor,
    exercise,
    expect,
    one_number,
    one_tensor,
    shown,
    worst,
)

Given = tuple[Any, ...]
"""What an answer is given at once."""

H = 1e-5


def all_agree(
    trial: Trial,
    tries: list[Given],
    got: list[Tensor],
    right: Answer,
    says: Callable[..., str],
    otherwise: str = "",
) -> None:
    """Refuse answers of which one is wrong; what it looks like, all tell.

    says(n, *given) is where: n is the entry that is furthest off.
    """

    def made(answer: Answer) -> Tensor:
        every = [torch.as_tensor(answer(*given)).double() for given in tries]
        return torch.stack(every)

    mine, want = torch.stack(got), made(right)
    which, n = divmod(worst(mine, want), got[0].numel())
    where = says(n, *tries[which])
    trial.agrees(mine, want, where, made, otherwise=otherwise)


@exercise("guidance-1")
def two_answers(trial: Trial) -> str:
    """Hold the guided answer against PyTorch's lerp, and at both its ends."""
    weights = trial.uniform(2.0, 6.0), trial.uniform(0.2, 0.8), 0.0, 1.0
    tries: list[Given] = [
        (trial.normal(2, 3), trial.normal(2, 3), w) for w in weights
    ]
    all_agree(
        trial,
        tries,
        [trial.tensor(*given, shape=(2, 3)) for given in tries],
        lambda wanted, other, w: torch.lerp(other, wanted, w),
        lambda n, wanted, other, w: (
            f"With w = {w:.3g}, and {flat_at(other, n)} for the other and "
            f"{flat_at(wanted, n)} for what is wanted, it is wrong"
        ),
        " At w = 0 it must be the other alone, at w = 1 what is wanted alone.",
    )
    return "w beyond 1 and below, and the two ends, 0 and 1."


def flat_at(x: Tensor, n: int) -> str:
    """Return entry n of a tensor, counted through all, to be shown."""
    return f"{float(x.flatten()[n]):.3f}"


@exercise("guidance-2")
def forget_the_label(trial: Trial) -> str:
    """Look at each label by its own u, also with the chances 0 and 1."""
    tries = [
        some_labels(trial, trial.uniform(0.2, 0.4), torch.int64, True),
        some_labels(trial, trial.uniform(0.6, 0.8), torch.int32, False),
        some_labels(trial, 0.0, torch.int64, False),
        some_labels(trial, 1.0, torch.int64, True),
    ]
    made = [as_tensor(trial.call(*given)) for given in tries]
    got = [labels_of(*pair) for pair in zip(made, tries, strict=True)]
    expect(
        torch.equal(got[0], trial.tensor(*tries[0], shape=(12,))),
        "Called twice with the same u it returns two things: which labels go "
        "is known from u, and no new chance is needed.",
    )
    all_agree(
        trial,
        tries,
        got,
        one_by_one,
        lambda n, y, null, chance, u: (
            f"With chance = {chance:.3g}, u = {flat_at(u, n)} and null = "
            f"{null} the label {int(y[n])} comes out wrong"
        ),
    )
    for value, (y, *_) in zip(made, tries, strict=True):
        expect(
            value.dtype == y.dtype,
            "The labels are right, but they must keep their dtype: yours "
            f"{value.dtype}, should be {y.dtype}.",
        )
    return "four rows of labels, two of them with the chances 0 and 1."


def some_labels(
    trial: Trial, chance: float, kind: torch.dtype, kept: bool
) -> Given:
    """Return labels, null, chance and u; is the first label to be kept?

    With chance 0 one u is 0, and keeps its label; with chance 1 none does.
    """
    null = trial.integer(6, 12)
    y = torch.tensor([trial.integer(0, null - 1) for _ in range(12)])
    u = torch.rand(12, generator=trial.generator).double()
    low, high = chance / 2, 0.5 + 0.49 * chance
    u[0], u[1] = (high, low) if kept else (low, high)
    return y.to(kind), null, chance, u


def labels_of(value: Any, given: Given) -> Tensor:
    """Return what came of labels, if it is whole numbers, and as many."""
    says = f"With {shown(given)} it returns"
    labels = one_tensor(value, given[0].shape, says)
    expect(
        not value.is_floating_point() and value.dtype != torch.bool,
        f"{says} numbers of the dtype {value.dtype}: labels are whole "
        f"numbers, {given[0].dtype} as y.",
    )
    return labels


def one_by_one(y: Tensor, null: int, chance: float, u: Tensor) -> list[int]:
    """Return the labels, each looked at by itself."""
    pairs = zip(y.tolist(), u.tolist(), strict=True)
    return [null if each < chance else label for label, each in pairs]


NO_SLOPE = (
    "A tensor has no slope unless you ask for it beforehand: x = "
    "x_t.detach().requires_grad_()"
)
NO_NUMBER = (
    "Differentiate one number: the sum over the rows, each of which depends "
    "on its own row of x_t alone."
)


@exercise("guidance-3")
def ask_a_classifier(trial: Trial) -> str:
    """Hold the slope of log p against differences of log p."""
    levels = (0.1, 0.3), (0.4, 0.6), (0.7, 0.9), (0.1, 0.9)
    weights = trial.uniform(2.0, 4.0), trial.uniform(0.3, 0.7), 1.0, 0.0
    tries: list[Given] = [
        (
            trial.normal(4, 3),
            trial.normal(4, 3),
            some_classifier(trial),
            trial.one(trial.uniform(*level))[0],
            w,
        )
        for level, w in zip(levels, weights, strict=True)
    ]
    all_agree(
        trial,
        tries,
        [without_gradient(trial, given) for given in tries],
        by_differences,
        lambda n, eps_hat, x_t, log_prob, alpha_bar_t, w: (
            f"With w = {w:.3g} and alpha_bar_t = {float(alpha_bar_t):.3f}, "
            f"for row {n // 3}, it is wrong"
        ),
    )
    eps_hat, x_t, *rest = tries[0]
    mine = x_t.clone()
    trial.direct(eps_hat.clone(), mine, *rest)
    expect(
        not mine.requires_grad,
        "It changes x_t, which now asks for a gradient wherever it is used: "
        "x_t.detach().requires_grad_() leaves it alone.",
    )
    return "three weights and 0, by differences of log p."


def some_classifier(trial: Trial) -> Callable[[Tensor], Tensor]:
    """Return log p of one of three classes: from (B, 3) to (B,)."""
    inner, outer = trial.normal(3, 8), 0.5 * trial.normal(8, 3)

    def log_prob(x: Tensor) -> Tensor:
        return ((x @ inner).tanh() @ outer).log_softmax(-1)[..., 0]

    return log_prob


def without_gradient(trial: Trial, given: Given) -> Tensor:
    """Return a guided answer, if no gradient is attached to it."""
    with (
        advising(NO_SLOPE, "does not require grad"),
        advising(NO_NUMBER, "implicitly created"),
    ):
        value = as_tensor(trial.call(*given))
    answer = one_tensor(value, (4, 3), f"With {shown(given)} it returns")
    expect(
        not value.requires_grad,
        "A gradient is attached to what it returns, so that a sampler would "
        "hold on to all its steps: detach() takes it off.",
    )
    return answer


def by_differences(
    eps_hat: Tensor,
    x_t: Tensor,
    log_prob: Callable[[Tensor], Tensor],
    alpha_bar_t: Tensor,
    w: float,
) -> Tensor:
    """Return the guided answer, by way of the score and differences."""
    moves = H * torch.eye(3, dtype=torch.float64)
    slopes = [log_prob(x_t + h) - log_prob(x_t - h) for h in moves]
    std = (1 - float(alpha_bar_t)) ** 0.5
    score = -eps_hat / std + w * torch.stack(slopes, 1) / (2 * H)
    return -std * score


@exercise("guidance-4")
def one_pass_for_two(trial: Trial) -> str:
    """Listen to what a mended answer asks, and hold it where labels differ.

    The network asked here says something else for each label and row.
    """
    asked: list[Tensor] = []
    null, got, passes = trial.integer(6, 9), [], []
    weights = trial.uniform(1.5, 4.0), trial.uniform(0.2, 0.8)
    tries = [some_rows(trial, asked, w, null) for w in weights]
    for given in tries:
        asked.clear()
        got.append(trial.tensor(*given, shape=(6, 2)))
        passes.append([len(y) for y in asked])
    heard = sorted({int(y) for each in asked for y in each})
    all_agree(
        trial,
        tries,
        got,
        two_passes,
        lambda n, net, x_t, t, y, w, null: (
            f"With w = {w:.3g} and null = {null}, for the label "
            f"{int(y[n // 2])}, it is wrong"
        ),
        f" The network is asked about the labels {heard}.",
    )
    for rows in passes:
        expect(
            len(rows) <= 2 and sum(rows) == 12,
            "The answer is right, but for 6 rows the network is asked "
            f"{len(rows)} times, about {sum(rows)} rows in all: one pass of "
            "a doubled batch, 12 rows, is enough.",
        )
    return "two weights, and what the network is asked: a doubled batch."


def some_rows(trial: Trial, asked: list[Tensor], w: float, null: int) -> Given:
    """Return a network that notes labels, six rows, w and null."""
    shift, scale = trial.normal(null + 1, 2), trial.normal(null + 1, 2)

    def net(x_t: Tensor, t: Tensor, y: Tensor) -> Tensor:
        can_be_asked(x_t, t, y, null)
        asked.append(y)
        return (1 + scale[y.long()] ** 2) * x_t + shift[y.long()] * t[:, None]

    y = torch.randperm(null, generator=trial.generator)[:6]
    t = torch.tensor([trial.integer(1, 9) for _ in range(6)])
    return net, trial.normal(6, 2), t, y, w, null


def can_be_asked(x_t: object, t: object, y: object, null: int) -> None:
    """Raise, as a network would, if a question is none.

    Raises:
        ValueError: it is asked about what does not fit.
    """
    parts = (x_t, t, y)
    for name, part in zip(("x_t", "t", "y"), parts, strict=True):
        if not isinstance(part, Tensor):
            raise ValueError(f"{name} must be a tensor, got {shown((part,))}")
    shapes = [tuple(part.shape) for part in parts if isinstance(part, Tensor)]
    if not shapes[0][:1] == shapes[1] == shapes[2]:
        raise ValueError(f"x_t, t and y do not fit together: {shapes}")
    labels = torch.as_tensor(y)
    if labels.is_floating_point():
        raise ValueError("y must be whole numbers: the labels")
    for label in labels.tolist():
        if not 0 <= label <= null:
            raise ValueError(
                f"the label {label} is none of 0 to null = {null}"
            )


def two_passes(
    net: Callable[..., Tensor],
    x_t: Tensor,
    t: Tensor,
    y: Tensor,
    w: float,
    null: int,
) -> Tensor:
    """Return the guided answer by a pass for each label of each row."""
    rows = zip(x_t.split(1), t.split(1), y.split(1), strict=True)
    each = [
        torch.lerp(net(x, s, torch.tensor([null])), net(x, s, label), w)
        for x, s, label in rows
    ]
    return torch.cat(each)


@exercise("guidance-5")
def the_distribution_of_w(trial: Trial) -> str:
    """Hold mean and variance against quadrature of the two powers."""
    weights = trial.uniform(2.0, 5.0), trial.uniform(0.2, 0.8), 1.0
    tries = [some_gaussians(trial, w, trial.uniform(1.5, 3)) for w in weights]
    tries.append(some_gaussians(trial, 2.0, 1.0))
    at_0 = [some_gaussians(trial, 0.0, 2.0)]  # where some divide by w
    for some in (tries, at_0):
        all_agree(
            trial,
            some,
            [two_numbers(trial, given) for given in some],
            by_quadrature,
            lambda n, mean, variance, mean_all, variance_all, w: (
                f"With N({mean:.3f}, {variance:.3f}) for the class, "
                f"N({mean_all:.3f}, {variance_all:.3f}) for all, and w = "
                f"{w:.3g} the {('mean', 'variance')[n]} is wrong"
            ),
        )
    return "w beyond 1 and below, both ends, and equal variances."


def two_numbers(trial: Trial, given: Given) -> Tensor:
    """Return the two numbers that come of what is given, as a tensor."""
    pair = trial.pair(*given)
    both = [one_number(value, "One of the two is") for value in pair]
    return torch.tensor(both, dtype=torch.float64)


def some_gaussians(trial: Trial, w: float, ratio: float) -> Given:
    """Return mean and variance of a class, and of all, and w.

    The ratio is that of the variances.
    """
    variance, mean_all = trial.uniform(0.4, 0.9), trial.uniform(0.5, 1.0)
    mean = mean_all + trial.uniform(0.7, 1.5)
    return mean, variance, mean_all, ratio * variance, w


def by_quadrature(
    mean: float,
    variance: float,
    mean_all: float,
    variance_all: float,
    w: float,
) -> list[float]:
    """Return mean and variance of p_all^(1 - w) p^w, on a grid of x."""
    x = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    of_class = -((x - mean) ** 2) / (2 * variance)
    of_all = -((x - mean_all) ** 2) / (2 * variance_all)
    p = (w * of_class + (1 - w) * of_all).softmax(0)
    middle = float((p * x).sum())
    return [middle, float((p * (x - middle) ** 2).sum())]
