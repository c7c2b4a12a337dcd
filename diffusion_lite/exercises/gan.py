"""Checks of chapter 6: a game, and whether a difference is one."""

import torch
from scipy import stats
from torch import nn

from diffusion_lite.exercises.trial import (
    Trial,
    exercise,
    expect,
    looks_like,
    near,
    one_number,
)


@exercise("gan-1")
def friction(trial: Trial) -> str:
    """Hold both velocities against autograd of what each player wants."""
    log_sigmoid = nn.functional.logsigmoid
    for _ in range(3):
        given = [
            trial.one(trial.uniform(low, high))[0]
            for low, high in ((0.4, 1.5), (-2.0, -0.6), (0.3, 1.2))
        ]
        theta, psi = (x.clone().requires_grad_() for x in given[:2])
        gamma = given[2]
        (want_theta,) = torch.autograd.grad(log_sigmoid(psi * theta), theta)
        pay = log_sigmoid(-psi * theta) - gamma / 2 * psi**2
        (want_psi,) = torch.autograd.grad(pay, psi)
        theta, psi = given[:2]
        pair = trial.pair(*given)
        got = [one_number(v, "One of the two is") for v in pair]
        where = f"At theta = {theta:.3f}, psi = {psi:.3f}, gamma = {gamma:.3f}"
        plus, minus = torch.sigmoid(psi * theta), torch.sigmoid(-psi * theta)
        expect(
            near(got[0], want_theta),
            f"{where} the generator's velocity is {float(want_theta):.4f}, "
            f"not {got[0]:.4f}."
            + looks_like(
                got[0],
                {
                    "a generator that goes down": -want_theta,
                    "minimax, the loss that saturates": psi * plus,
                    "a penalty on the generator too": want_theta
                    - gamma * theta,
                    "no inner slope psi": minus,
                    "the players exchanged": want_psi,
                },
            ),
        )
        expect(
            near(got[1], want_psi),
            f"{where} the discriminator's velocity is {float(want_psi):.4f}, "
            f"not {got[1]:.4f}."
            + looks_like(
                got[1],
                {
                    "half of the penalty's slope": -theta * plus
                    - gamma * psi / 2,
                    "no penalty": -theta * plus,
                    "a penalty that pushes out": -theta * plus + gamma * psi,
                    "a penalty with the wrong variable": -theta * plus
                    - gamma * theta,
                    "a discriminator that goes down": -want_psi,
                    "the generator's sigmoid": -theta * minus - gamma * psi,
                },
            ),
        )
    return "three places, against autograd of what each player wants."


@exercise("gan-2")
def from_logit_to_ratio(trial: Trial) -> str:
    """Try two laws on a few points, where every mean is a sum."""
    for _ in range(3):
        n = trial.integer(5, 12)
        p_g, p = trial.normal(n).softmax(0), (2 * trial.normal(n)).softmax(0)
        counts = (p_g * 20_000).round().long().clamp(min=1)
        p_g = counts / counts.sum()
        point = torch.repeat_interleave(torch.arange(n), counts)
        values = trial.normal(n) + 3
        logit = (p / p_g).log()
        got = trial.number(values[point], logit[point])
        want = float((p * values).sum())
        ratio = (p / p_g)[point]
        chance = logit.sigmoid()[point]
        mistakes = {
            "the generator's own mean": float(values[point].mean()),
            "a weighted sum that is not divided": float(
                (ratio * values[point]).sum()
            ),
            "the sigmoid of the logit as the weight": float(
                (chance * values[point]).sum() / chance.sum()
            ),
            "the ratio upside down": float(
                (values[point] / ratio).sum() / (1 / ratio).sum()
            ),
            "the logit itself as the weight": float(
                (logit[point] * values[point]).mean()
            ),
        }
        expect(
            near(got, want),
            f"On a law of {n} points the data's mean is {want:.4f}, not "
            f"{got:.4f}." + looks_like(got, mistakes),
        )
        moved = trial.number(values[point], logit[point] + 2)
        expect(
            near(moved, want),
            "With a constant added to every logit the mean must stay the "
            f"same, and is {moved:.4f}: do the weights have the sum 1?",
        )
        far = trial.number(values[point], logit[point] + 800)
        expect(
            near(far, want),
            "With 800 added to every logit it must be the same: exp runs out "
            "of numbers, softmax does not.",
        )
    return "three laws of a few points, where the mean is a sum."


@exercise("gan-3")
def is_it_a_difference(trial: Trial) -> str:
    """Hold mean and width against SciPy's paired interval."""
    for n in (5, 10, 30):
        luck = 3 * trial.normal(n)
        a, b = luck + trial.normal(n) + 1, luck + trial.normal(n)
        pair = trial.pair(a, b)
        got = [one_number(v, "One of the two is") for v in pair]
        test = stats.ttest_rel(a.numpy(), b.numpy())
        low, high = test.confidence_interval(0.95)
        mean, half = (low + high) / 2, (high - low) / 2
        expect(
            near(got[0], mean),
            f"With n = {n} the mean of a - b is {mean:.4f}, not "
            f"{got[0]:.4f}."
            + looks_like(
                got[0],
                {
                    "b - a": -mean,
                    "the half width": half,
                    "the median": float((a - b).median()),
                },
            ),
        )
        d = a - b
        error, q = float(d.std()) / n**0.5, half / (float(d.std()) / n**0.5)
        apart = float(a.var() + b.var()) ** 0.5 / n**0.5
        mistakes = {
            "1.96, which is for a known width": 1.96 * error,
            "the standard error, without Student's t": error,
            "no division by the root of n": q * float(d.std()),
            "the whole width, not half of it": 2 * half,
            "two samples that know nothing of each other": q * apart,
            "n in the place of n - 1 degrees": float(stats.t.ppf(0.975, n))
            * error,
            "a one-sided 95 %": float(stats.t.ppf(0.95, n - 1)) * error,
            "a spread divided by n, not n - 1": q
            * float(d.std(correction=0))
            / n**0.5,
        }
        expect(
            near(got[1], half),
            f"With n = {n} the half width is {half:.4f}, not {got[1]:.4f}."
            + looks_like(got[1], mistakes),
        )
    return "three numbers of seeds that share their luck, against SciPy."


@exercise("gan-4")
def the_loss_that_does_not_pull(trial: Trial) -> str:
    """Look at a mended generator's loss where fakes are easily told."""
    for far in (-8.0, 0.0, 3.0):
        logit = far + 0.1 * trial.normal(6)
        got = trial.number(logit)
        held = logit.clone().requires_grad_()
        result = trial.direct(held)
        expect(
            isinstance(result, torch.Tensor) and result.requires_grad,
            "Return a tensor that has a slope in the logits.",
        )
        (slope,) = torch.autograd.grad(result, held)
        want = -(1 - logit.sigmoid()) / 6
        expect(
            not bool((slope > 1e-9).any()),
            "A larger logit, 'real', must make the generator's loss smaller. "
            "Yours becomes larger.",
        )
        saturating = -logit.sigmoid() / 6
        expect(
            near(slope, want, 1e-3),
            f"Near a logit of {far:g} the slope is "
            f"{float(slope.mean()) * 6:.4f} for each fake, and must be "
            f"{float(want.mean()) * 6:.4f}."
            + looks_like(
                slope,
                {
                    "log sigmoid(-l), which saturates": saturating,
                    "a sum, not a mean": want * 6,
                    "half of it": want / 2,
                    "the mean logit, as in Wasserstein": torch.full_like(
                        want, -1 / 6
                    ),
                },
            ),
        )
        value = float(nn.functional.softplus(-logit).mean())
        expect(
            near(got, value),
            f"The slope is right, and the loss is {got:.4f} for {value:.4f}.",
        )
    return "fakes that are told easily, hardly, and not at all."
