"""Checks of chapter 6: a game, and whether a difference is one."""

import torch
from scipy import stats
from torch import nn

from diffusion_lite.exercises.trial import (
    Trial,
    exercise,
    expect,
    finite,
    looks_like,
    near,
    one_number,
    one_tensor,
)


@exercise("gan-1")
def friction(trial: Trial) -> str:
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
        plus, minus = torch.sigmoid(psi * theta), torch.sigmoid(-psi * theta)
        of_generator = {
            "a generator that goes down": -want_theta,
            "minimax, the loss that saturates": psi * plus,
            "the velocity near (0, 0) only": psi / 2,
            "a penalty on the generator too": want_theta - gamma * theta,
            "no inner slope psi": minus,
            "the players exchanged": want_psi,
        }
        pull = -theta * plus
        of_discriminator = {
            "half of the penalty's slope": pull - gamma * psi / 2,
            "no penalty": pull,
            "a penalty that pushes out": pull + gamma * psi,
            "a penalty with the wrong variable": pull - gamma * theta,
            "a penalty that does not know the sign of psi": pull
            + gamma * psi.abs(),
            "a penalty that pushes down, whatever the sign of psi": pull
            - gamma * psi.abs(),
            "the penalty itself, not its slope": pull - gamma * psi**2 / 2,
            "a discriminator that goes down": -want_psi,
            "the generator's sigmoid": -theta * minus - gamma * psi,
        }
        for who, mine, want, mistakes in (
            ("generator", got[0], want_theta, of_generator),
            ("discriminator", got[1], want_psi, of_discriminator),
        ):
            n = int((mine - want).abs().argmax())
            expect(
                near(mine, want),
                f"At theta = {theta[n]:.3f}, psi = {psi[n]:.3f}, gamma = "
                f"{gamma:.3f} the {who}'s velocity is {want[n]:.4f}, not "
                f"{mine[n]:.4f}." + looks_like(mine, mistakes),
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
            "a mean, where softmax has divided already": float(
                (logit[point].softmax(0) * values[point]).mean()
            ),
            "the logit itself as the weight": float(
                (logit[point] * values[point]).mean()
            ),
        }
        expect(
            near(got, want),
            f"With {n} points the data's mean is {want:.4f}, not "
            f"{got:.4f}." + looks_like(got, mistakes),
        )
        moved = trial.number(values[point], logit[point] + 2)
        expect(
            near(moved, want),
            "With a constant added to every logit the mean must stay the "
            f"same, and is {moved:.4f}: do the weights have the sum 1?",
        )
        far = trial.call(values[point], logit[point] + 800)
        expect(
            finite(far) and near(far, want),
            "With 800 added to every logit it must be the same: exp runs out "
            "of numbers, softmax does not.",
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


@exercise("gan-3")
def is_it_a_difference(trial: Trial) -> str:
    """Hold mean and width against SciPy's paired interval."""
    for n, apart in ((5, 2.0), (10, -2.0), (30, 1.0)):
        luck = 3 * trial.normal(n)
        a, b = luck + trial.normal(n) + apart, luck + trial.normal(n)
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
                    "the mean's size, without its sign": abs(mean),
                    "b - a": -mean,
                    "the lower end, not the mean": low,
                    "the half width": half,
                    "the median": float((a - b).median()),
                },
            ),
        )
        d = a - b
        error, q = float(d.std()) / n**0.5, half / (float(d.std()) / n**0.5)
        alone = float(a.var() + b.var()) ** 0.5 / n**0.5
        mistakes = {
            "1.96, which is for a known width": 1.96 * error,
            "the standard error, without Student's t": error,
            "no division by the root of n": q * float(d.std()),
            "the whole width, not half of it": 2 * half,
            "two samples that know nothing of each other": q * alone,
            "two samples that know nothing of each other, by ttest_ind": float(
                stats.t.ppf(0.975, 2 * n - 2)
            )
            * alone,
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
        slope = slope_in_logits(trial, logit)
        want = -(1 - logit.sigmoid()) / 6
        expect(
            not bool((slope > 1e-9).any()),
            "A larger logit, 'real', must make the generator's loss smaller. "
            "Yours becomes larger.",
        )
        mistakes = {
            "a loss that saturates, as log sigmoid(-l) does": -logit.sigmoid()
            / 6,
            "a sum, not a mean": want * 6,
            "half of it": want / 2,
            "the mean logit, as in Wasserstein": torch.full_like(want, -1 / 6),
        }
        expect(
            near(slope, want, 1e-3),
            f"Near a logit of {far:g} the slope is "
            f"{float(slope.mean()) * 6:.4f} for each fake, and must be "
            f"{float(want.mean()) * 6:.4f}." + looks_like(slope, mistakes),
        )
        value = float(nn.functional.softplus(-logit).mean())
        expect(
            near(got, value),
            f"The slope is right, and the loss is {got:.4f} for {value:.4f}.",
        )
    for dtype in (torch.float32, torch.float64):
        for far in (-40.0, -1000.0):
            logit = (far + 0.1 * trial.normal(6)).to(dtype)
            loss, slope = trial.call(logit), slope_in_logits(trial, logit)
            kind = str(dtype).removeprefix("torch.")
            expect(
                finite(loss)
                and near(loss, float(-logit.double().mean()))
                and near(slope, torch.full((6,), -1 / 6), 1e-3),
                f"At logits near {far:g}, in {kind}, the loss is "
                f"{float(loss):.4g} and its slope {float(slope.mean()) * 6:g} "
                f"for each fake; they must be {-far:g} and -1. The sigmoid "
                "comes to 0, or exp to infinity: use logsigmoid or softplus.",
            )
    return "fakes that are told at once, easily, hardly, and not at all."


def slope_in_logits(trial: Trial, logit: torch.Tensor) -> torch.Tensor:
    """Return the slope of the answer's loss in each logit.

    Raises:
        Refused: it has none.
    """
    held = logit.clone().requires_grad_()
    loss = trial.direct(held)
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
