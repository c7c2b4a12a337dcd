"""Checks of chapter 6: a game, and whether a difference is one."""

import torch
from torch import nn

from diffusion_lite.exercises.trial import (
    Answer,
    Trial,
    exercise,
    expect,
    finite,
    near,
    one_number,
    one_tensor,
    versus,
    worst,
)


@exercise("gan-1")
def damping(trial: Trial) -> str:
    """Hold both velocities against autograd of what each player wants."""
    log_sigmoid = nn.functional.logsigmoid
    for _ in range(3):
        theta = some_numbers(trial, 0.4, 1.5) * torch.tensor([1, -1, 1])
        psi = some_numbers(trial, 0.6, 2.0) * torch.tensor([-1, 1, 1])
        gamma = trial.one(trial.uniform(0.3, 1.2))[0]
        x, y = (each.clone().requires_grad_() for each in (theta, psi))
        gain = log_sigmoid(y * x).sum()
        (want_theta,) = torch.autograd.grad(gain, x)
        gain = (log_sigmoid(-y * x) - gamma / 2 * y**2).sum()
        (want_psi,) = torch.autograd.grad(gain, y)
        pair = trial.pair(theta, psi, gamma)
        got = [one_tensor(each, (3,), "One of the two is") for each in pair]
        for k, (who, want) in enumerate(
            (("generator", want_theta), ("discriminator", want_psi))
        ):
            n = worst(got[k], want)
            trial.agrees(
                got[k],
                want,
                f"At theta = {theta[n]:.3f}, psi = {psi[n]:.3f}, gamma = "
                f"{gamma:.3f} the {who}'s velocity is wrong",
                lambda mistake, k=k, given=(theta, psi, gamma): mistake(
                    *given
                )[k],
            )
    return "nine places, against autograd of what each player wants."


def some_numbers(trial: Trial, low: float, high: float) -> torch.Tensor:
    """Return three numbers by chance, evenly from low to high."""
    numbers = [trial.uniform(low, high) for _ in range(3)]
    return torch.tensor(numbers, dtype=torch.float64)


@exercise("gan-2")
def from_logit_to_ratio(trial: Trial) -> str:
    """Try two distributions on a few points, where every mean is a sum."""
    for _ in range(3):
        n = trial.integer(5, 12)
        p_g, p = trial.normal(n).softmax(0), (2 * trial.normal(n)).softmax(0)
        counts = (p_g * 20_000).round().long().clamp(min=1)
        p_g = counts / counts.sum()
        point = torch.repeat_interleave(torch.arange(n), counts)
        values = trial.normal(n) + 3
        logit = (p / p_g).log()
        keeps_the_mean(
            trial, values[point], logit[point], float((p * values).sum())
        )
    values = trial.normal(3)
    one = trial.call(values, torch.tensor([0.0, 2000.0, 10.0]).double())
    expect(
        finite(one) and near(one, values[1]),
        "With the logits 0, 2000 and 10 the second point has all the weight, "
        "and its value must come out: exp runs out of numbers, softmax does "
        "not, for it takes the largest logit off first.",
    )
    return (
        "three distributions of a few points, and logits that are far apart."
    )


def keeps_the_mean(
    trial: Trial, values: torch.Tensor, logit: torch.Tensor, want: float
) -> None:
    """Refuse what is not the data's mean, also where all logits are moved."""
    trial.agrees(
        trial.number(values, logit),
        want,
        f"With {len(values)} samples the data's mean is wrong",
        lambda mistake: mistake(values, logit),
    )
    moved = trial.number(values, logit + 2)
    expect(
        near(moved, want),
        "With a constant added to every logit the mean must stay the same: "
        f"{versus(moved, want)} Do the weights have the sum 1?",
    )
    far = trial.call(values, logit + 800)
    expect(
        finite(far) and near(far, want),
        "With 800 added to every logit it must be the same: exp runs out of "
        "numbers, softmax does not.",
    )


@exercise("gan-3")
def is_it_a_difference(trial: Trial) -> str:
    """Hold mean and half width against SciPy's paired interval."""
    from scipy import stats

    for n, apart in ((5, 2.0), (10, -2.0), (30, 1.0)):
        luck = 3 * trial.normal(n)
        a, b = luck + trial.normal(n) + apart, luck + trial.normal(n)
        pair = trial.pair(a, b)
        got = [one_number(v, "One of the two is") for v in pair]
        test = stats.ttest_rel(a.numpy(), b.numpy())
        low, high = test.confidence_interval(0.95)
        for k, (what, want) in enumerate(
            (
                ("mean of a - b", (low + high) / 2),
                ("half width", (high - low) / 2),
            )
        ):
            trial.agrees(
                got[k],
                want,
                f"With n = {n} the {what} is wrong",
                lambda mistake, k=k, given=(a, b): mistake(*given)[k],
            )
    return "three numbers of seeds that share their luck, against SciPy."


@exercise("gan-4")
def the_loss_that_does_not_pull(trial: Trial) -> str:
    """Look at a mended generator's loss where fakes are easily told."""
    for far in (-8.0, 0.0, 3.0):
        logit = far + 0.1 * trial.normal(6)
        got = trial.number(logit)
        slope = slope_in_logits(trial.direct, logit)
        want = -(1 - logit.sigmoid()) / 6
        expect(
            not bool((slope > 1e-9).any()),
            "A larger logit, 'real', must make the generator's loss smaller. "
            "Yours becomes larger.",
        )
        trial.agrees(
            6 * slope,
            6 * want,
            f"Near a logit of {far:g} the slope for each fake is wrong",
            lambda mistake, logit=logit: 6 * slope_in_logits(mistake, logit),
            1e-3,
        )
        value = float(nn.functional.softplus(-logit).mean())
        expect(
            near(got, value),
            f"The slope is right, and the loss is not: {versus(got, value)}",
        )
    for dtype in (torch.float32, torch.float64):
        for far in (-40.0, -1000.0):
            holds_far_off(trial, (far + 0.1 * trial.normal(6)).to(dtype))
    return "fakes that are told at once, easily, hardly, and not at all."


def holds_far_off(trial: Trial, logit: torch.Tensor) -> None:
    """Refuse a loss that is not -logit where the logit is far below 0."""
    loss, slope = trial.call(logit), slope_in_logits(trial.direct, logit)
    kind = str(logit.dtype).removeprefix("torch.")
    expect(
        finite(loss)
        and near(loss, float(-logit.double().mean()))
        and near(slope, torch.full((6,), -1 / 6), 1e-3),
        f"At logits near {float(logit.mean()):.0f}, in {kind}, your loss is "
        f"{float(loss):.4g} and its slope {float(slope.mean()) * 6:g} for "
        f"each fake; they should be {float(-logit.mean()):.4g} and -1. The "
        "sigmoid comes to 0, or exp to infinity: use logsigmoid or softplus.",
    )


def slope_in_logits(loss_of: Answer, logit: torch.Tensor) -> torch.Tensor:
    """Return the slope of a loss in each logit.

    Raises:
        Refused: it has none.
    """
    held = logit.clone().requires_grad_()
    loss = loss_of(held)
    expect(
        isinstance(loss, torch.Tensor) and loss.requires_grad,
        "Return a tensor that has a slope in the logits.",
    )
    (slope,) = torch.autograd.grad(loss, held, allow_unused=True)
    expect(
        slope is not None,
        "The loss is no function of the logits: it has no slope in them. "
        "float(), .item(), .detach() and torch.tensor() cut the way back.",
    )
    return slope
