"""Checks of chapter 4: the network that guesses the noise."""

import torch
from torch import Tensor, nn

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.trial import (
    Network,
    Trial,
    exercise,
    expect,
    looks_like,
    near,
)


@exercise("denoiser-1")
def the_clock(trial: Trial) -> str:
    """Look at the ends, the neighbours, and each wave of an embedding."""
    for d in (8, 32):
        h, B = d // 2, trial.integer(40, 100)
        t = torch.arange(B)
        emb = trial.tensor(t, d, shape=(B, d))
        zero, one = torch.zeros(h).double(), torch.ones(h).double()
        expect(
            not near(emb[0], torch.cat([one, zero])),
            "The cosines come first: they should come after the sines.",
        )
        alternating = torch.stack([zero, one], 1).flatten()
        expect(
            not near(emb[0], alternating),
            "Sines and cosines take turns: all sines come first.",
        )
        expect(
            near(emb[0], torch.cat([zero, one])),
            "At t = 0 the first half must be 0 and the second 1.",
        )
        expect(
            near(emb[:, :h] ** 2 + emb[:, h:] ** 2, 1.0),
            "The squares of a sine and its cosine must have the sum 1: are "
            "their frequencies the same?",
        )
        i = torch.arange(h).double()
        waves = {
            "": 10 ** (-4 * i / h),
            "the exponent with h - 1": 10 ** (-4 * i / (h - 1)),
            "the exponent with d in the place of h": 10 ** (-4 * i / d),
            "i that runs from 1": 10 ** (-4 * (i + 1) / h),
            "e in the place of 10": (-4 * i / h).exp(),
            "frequencies that grow": 10 ** (4 * i / h),
        }
        sines = {
            name: (t.double()[:, None] * omega).sin()
            for name, omega in waves.items()
        }
        want, got = sines.pop(""), emb[:, :h]
        worst = int((got - want).abs().amax(0).argmax())
        expect(
            float((got - want).abs().max()) < 1e-3,
            f"With d = {d} the sine number {worst} is off: at t = 1 it is "
            f"{float(got[1, worst]):.5f}, and must be "
            f"{float(want[1, worst]):.5f}." + looks_like(got, sines),
        )
    return "two sizes: both ends, every wave, squares of sum 1."


@exercise("denoiser-2")
def attention_in_four_lines(trial: Trial) -> str:
    """Try equal keys, another order, and PyTorch's own attention."""
    for B, N, C in ((2, 5, 8), (3, 4, 16)):
        q, k, v = (trial.normal(B, N, C) for _ in range(3))
        q = 2 * q
        same = trial.tensor(q, k * 0 + 1, v, shape=(B, N, C))
        mean = v.mean(1, keepdim=True).expand_as(v)
        expect(
            near(same, mean),
            "Where all keys are equal, every place takes home the mean of "
            "all values, and yours does not."
            + looks_like(
                same,
                {
                    "the sum of the values: no softmax, or none over the "
                    "last axis": mean * N,
                    "the queries, not the values": q,
                    "the values, untouched": v,
                },
            ),
        )
        got = trial.tensor(q, k, v, shape=(B, N, C))
        score = q @ k.transpose(1, 2)
        want = nn.functional.scaled_dot_product_attention(q, k, v)
        mistakes = {
            "no division by the root of C": score.softmax(2) @ v,
            "a division by C, without its root": (score / C).softmax(2) @ v,
            "the root of N for that of C": (score / N**0.5).softmax(2) @ v,
            "a softmax over the queries": (score / C**0.5).softmax(1) @ v,
            "queries and keys exchanged": (
                score.transpose(1, 2) / C**0.5
            ).softmax(2)
            @ v,
            "a product with the keys": (score / C**0.5).softmax(2) @ k,
            "a division after the softmax": score.softmax(2) @ v / C**0.5,
        }
        expect(
            near(got, want),
            f"With B, N, C = {B}, {N}, {C} it is off by up to "
            f"{float((got - want).abs().max()):.3f} from PyTorch's attention."
            + looks_like(got, mistakes),
        )
    return "equal keys, and PyTorch's own attention, in two shapes."


@exercise("denoiser-3")
def the_best_line(trial: Trial) -> str:
    """Hold the factor against the lowest point of the expected error."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        for _ in range(2):
            t, v = trial.integer(2, T - 2), trial.uniform(2.0, 5.0)
            a = float(schedule.alpha_bar[t])
            total = a * v + 1 - a  # the variance of x_t
            c = torch.linspace(-0.5, 1.5, 200_001, dtype=torch.float64)
            error = 1 - 2 * c * (1 - a) ** 0.5 + c**2 * total
            want = float(c[error.argmin()])
            got = trial.number(v, t, schedule)
            root = (1 - a) ** 0.5
            mistakes = {
                "best for data of variance 1": root,
                "1 over the root of 1 - alpha_bar, as if x_0 were 0": 1 / root,
                "the variance taken for a standard deviation": root
                / (a * v**2 + 1 - a),
                "1 - alpha_bar without its root": (1 - a) / total,
                "the best factor for x_0": a**0.5 * v / total,
                "the root of the variance of x_t below": root / total**0.5,
                "the sign turned round": -want,
            }
            expect(
                abs(got - want) < 1e-4,
                f"For variance {v:.3f} at t = {t} of {T} the best factor is "
                f"{want:.4f}, not {got:.4f}." + looks_like(got, mistakes),
            )
    return "four variances and times, against the lowest point of the error."


@exercise("denoiser-4")
def the_network_that_hardly_learns(trial: Trial) -> str:
    """Count a mended network's parameters, and look at each one's slope."""
    width = trial.integer(8, 24)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(trial.integer(0, 1000))
        net = trial.network(width)
    x_t, t = trial.normal(16, 2).float(), torch.arange(1, 17)
    out = Trial(net, 0).call(x_t, t)
    expect(
        isinstance(out, torch.Tensor) and out.shape == x_t.shape,
        "It must map points (16, 2) and times (16,) to (16, 2).",
    )
    want = (2 + width) * width + width + 3 * (width**2 + width)
    want += 2 * width + 2
    count = sum(value.numel() for value in net.values)
    expect(
        count == want,
        f"With a width of {width} it should have {want:,} parameters, "
        f"and has {count:,}. A layer in a plain list is not registered: "
        "nn.ModuleList.",
    )
    slopes = slopes_of(net, x_t, t)
    still = [
        name
        for name, slope in zip(net.names, slopes, strict=True)
        if slope is None or float(slope.abs().max()) == 0
    ]
    expect(
        not still,
        f"These parameters get no slope: {', '.join(still)}. Is every "
        "layer used, and none of them twice?",
    )
    for k, name in enumerate(net.names):
        expect(
            is_slope(trial, net, k, slopes[k], x_t, t),
            f"Moved a little, {name} does not change what comes out as its "
            "slope says. Is what learns also what is used?",
        )
    expect(
        not near(net(x_t, t), net(x_t, t.flip(0))),
        "The time makes no difference to what comes out.",
    )
    return f"{want:,} parameters, and every one of them learns."


def size_of(net: Network, values: list, x_t: Tensor, t: Tensor) -> Tensor:
    """Return the mean square of what a network with these values says."""
    return net.function(values, x_t, t).double().square().mean()


def slopes_of(net: Network, x_t: Tensor, t: Tensor) -> list:
    """Return the slope of that mean square in each parameter, or None."""
    values = [value.clone().requires_grad_() for value in net.values]
    size = size_of(net, values, x_t, t)
    if not size.requires_grad:
        return [None] * len(values)
    return list(torch.autograd.grad(size, values, allow_unused=True))


def is_slope(
    trial: Trial, net: Network, k: int, slope: Tensor, x_t: Tensor, t: Tensor
) -> bool:
    """Return whether a slope says what a small move of parameter k does."""
    chance = trial.normal(*slope.shape).float()
    length = float(slope.norm())
    way = slope / length + chance / chance.norm()
    ends = []
    for step in (0.01, -0.01):
        values = list(net.values)
        values[k] = values[k] + step * way
        ends.append(float(size_of(net, values, x_t, t)))
    measured, said = (ends[0] - ends[1]) / 0.02, float((slope * way).sum())
    return abs(measured - said) <= 0.1 * length
