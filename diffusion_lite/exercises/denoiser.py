"""Checks of chapter 4: the network that guesses the noise."""

from itertools import combinations

import torch
from torch import Tensor, nn

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.trial import (
    Network,
    Trial,
    exercise,
    expect,
    finite,
    looks_like,
    near,
    one_number,
)
from diffusion_lite.schedules import Schedule


@exercise("denoiser-1")
def the_clock(trial: Trial) -> str:
    """Look at the start, the squares, and each wave at times in no order."""
    for d, low in ((8, 0), (32, 5)):
        h, t = d // 2, some_times(trial, low)
        emb = trial.tensor(t, d, shape=(len(t), d))
        tables = embeddings(t, h)
        want = tables.pop("")
        if low == 0:
            begins_well(emb[int(t.argmin())], looks_like(emb, tables, 1e-3))
        expect(
            near(emb[:, :h] ** 2 + emb[:, h:] ** 2, 1.0),
            "The squares of a sine and its cosine must have the sum 1: are "
            "their frequencies the same?",
        )
        off = (emb - want).abs()
        row, column = divmod(int(off.argmax()), d)
        kind = "sine" if column < h else "cosine"
        expect(
            float(off.max()) < 1e-3,
            f"With d = {d} the {kind} number {column % h} is off: at "
            f"t = {int(t[row])} it is {float(emb[row, column]):.5f}, and "
            f"must be {float(want[row, column]):.5f}."
            + looks_like(emb, tables, 1e-3),
        )
    return "two sizes: t = 0, every wave up to 1000, squares of sum 1."


def some_times(trial: Trial, low: int) -> Tensor:
    """Return times from low to 1000, both included, in no order.

    Some come twice. The first is neither end.
    """
    count = trial.integer(40, 80)
    t = torch.tensor([trial.integer(low, 1000) for _ in range(count)])
    t = torch.cat([t, t[:5], torch.tensor([low, low + 1, 1000])])
    t = t[torch.randperm(len(t), generator=trial.generator)]
    middle = torch.tensor([trial.integer(300, 700)])
    return torch.cat([middle, t])


def embeddings(t: Tensor, h: int) -> dict[str, Tensor]:
    """Return the embedding of times, and those that mistakes lead to."""
    i, t = torch.arange(h).double(), t.double()
    right = 10 ** (-4 * i / h)
    waves = {
        "": (t, right),
        "the place in the batch, where t belongs": (
            torch.arange(len(t)).double(),
            right,
        ),
        "t counted from the smallest of the batch": (t - t.min(), right),
        "the exponent with h - 1": (t, 10 ** (-4 * i / (h - 1))),
        "the exponent with d in the place of h": (t, 10 ** (-2 * i / h)),
        "i that runs from 1": (t, 10 ** (-4 * (i + 1) / h)),
        "e in the place of 10": (t, (-4 * i / h).exp()),
        "frequencies that grow": (t, 10 ** (4 * i / h)),
    }
    angles = {name: t[:, None] * omega for name, (t, omega) in waves.items()}
    return {
        name: torch.cat([angle.sin(), angle.cos()], dim=1)
        for name, angle in angles.items()
    }


def begins_well(row: Tensor, mistake: str) -> None:
    """Refuse an embedding of t = 0 that is not 0, ..., 0, 1, ..., 1."""
    zero, one = torch.zeros(len(row) // 2), torch.ones(len(row) // 2)
    expect(
        not near(row, torch.cat([one, zero])),
        "The cosines come first: they should come after the sines.",
    )
    expect(
        not near(row, torch.stack([zero, one], 1).flatten()),
        "Sines and cosines take turns: all sines come first.",
    )
    expect(
        near(row, torch.cat([zero, one])),
        "At t = 0 the first half must be 0 and the second 1." + mistake,
    )


@exercise("denoiser-2")
def attention_in_four_lines(trial: Trial) -> str:
    """Try PyTorch's own attention, equal keys, and very large scores."""
    for B, N, C in ((2, 5, 8), (3, 4, 16)):
        q, k, v = (trial.normal(B, N, C) for _ in range(3))
        q = 2 * q
        got = trial.tensor(q, k, v, shape=(B, N, C))
        want = nn.functional.scaled_dot_product_attention(q, k, v)
        good, named = near(got, want), looks_like(got, attentions(q, k, v))
        off = (
            f"With B, N, C = {B}, {N}, {C} it is off by up to "
            f"{float((got - want).abs().max()):.3f} from PyTorch's attention."
        )
        expect(good or not named, off + named)
        same = trial.tensor(q, k * 0 + 1, v, shape=(B, N, C))
        expect(
            near(same, v.mean(1, keepdim=True).expand_as(v)),
            "Where all keys are equal, every place takes home the mean of "
            "all values, and yours does not.",
        )
        expect(good, off)
        far = trial.call(1000 * q, k, v)
        sharp = nn.functional.scaled_dot_product_attention(1000 * q, k, v)
        expect(
            finite(far) and near(far, sharp, 0.01),
            "With queries 1,000 times as large it goes wrong: exp runs out "
            "of numbers, softmax does not.",
        )
    return "PyTorch's own attention, equal keys and large scores, two shapes."


def attentions(q: Tensor, k: Tensor, v: Tensor) -> dict[str, Tensor]:
    """Return what mistakes make of queries, keys and values."""
    _, N, C = q.shape
    score = q @ k.transpose(1, 2)
    fit = score / C**0.5
    return {
        "no softmax": fit @ v,
        "no softmax, and no division by the root of C": score @ v,
        "exp, not normalised: softmax does both": fit.exp() @ v,
        "no division by the root of C": score.softmax(2) @ v,
        "a division by C, without its root": (score / C).softmax(2) @ v,
        "the root of N for that of C": (score / N**0.5).softmax(2) @ v,
        "a product with the root of C": (score * C**0.5).softmax(2) @ v,
        "a softmax over the queries": fit.softmax(1) @ v,
        "a softmax over the batch": fit.softmax(0) @ v,
        "queries and keys exchanged": fit.transpose(1, 2).softmax(2) @ v,
        "the weights turned over: row i is what place i thinks": (
            fit.softmax(2).transpose(1, 2) @ v
        ),
        "a product with the keys": fit.softmax(2) @ k,
        "a product with the queries": fit.softmax(2) @ q,
        "a division after the softmax": score.softmax(2) @ v / C**0.5,
        "the sum of the values": v.sum(1, keepdim=True).expand_as(v),
        "the mean of the values": v.mean(1, keepdim=True).expand_as(v),
        "the queries, not the values": q,
        "the values, untouched": v,
    }


@exercise("denoiser-3")
def the_best_line(trial: Trial) -> str:
    """Hold the factor against the lowest point of the expected error."""
    for T in (20, 100):
        schedule = some_schedule(trial, T)
        for _ in range(2):
            v, t, want, mistakes = some_line(trial, schedule)
            result = trial.call(v, t, schedule)
            expect(
                not isinstance(result, (tuple, list)),
                "It returns more than one thing: return c alone.",
            )
            got = one_number(result, f"For variance {v:.3f} it returns")
            expect(
                abs(got - want) < 1e-4,
                f"For variance {v:.3f} at t = {t} of {T} the best factor is "
                f"{want:.4f}, not {got:.4f}." + looks_like(got, mistakes),
            )
    return "four variances and times, against the lowest point of the error."


def some_line(
    trial: Trial, schedule: Schedule
) -> tuple[float, int, float, dict]:
    """Return a variance, a time, the best factor, and what mistakes say.

    Where two of them come to nearly the same, another is drawn.
    """
    for _ in range(100):
        v, t = (
            trial.uniform(2.0, 5.0),
            trial.integer(2, schedule.T - 2),
        )
        a, alpha = float(schedule.alpha_bar[t]), float(schedule.alpha[t])
        total, root = a * v + 1 - a, (1 - a) ** 0.5  # total: of x_t
        c = torch.linspace(-0.5, 1.5, 200_001, dtype=torch.float64)
        error = 1 - 2 * c * root + c**2 * total
        want = float(c[error.argmin()])
        mistakes = {
            "best for data of variance 1": root,
            "1 over the root of 1 - alpha_bar, as if x_0 were 0": 1 / root,
            "the variance taken for a standard deviation": root
            / (a * v**2 + 1 - a),
            "1 - alpha_bar without its root": (1 - a) / total,
            "the best factor for x_0": a**0.5 * v / total,
            "the root of the variance of x_t below": root / total**0.5,
            "the error itself, not c": float(error.min()),
            "alpha in the place of alpha_bar": (1 - alpha) ** 0.5
            / (alpha * v + 1 - alpha),
            "the sign turned round": -want,
        }
        pairs = combinations([want, *mistakes.values()], 2)
        if all(abs(one - other) > 1e-3 for one, other in pairs):
            break
    return v, t, want, mistakes


@exercise("denoiser-4")
def the_network_that_hardly_learns(trial: Trial) -> str:
    """Count a mended network's parameters, and look at each one's slope.

    The slopes are those a little away from where the parameters begin, for
    a layer may begin at 0. Chance: of 10,000 right networks with ReLU,
    whose kinks make slopes hard to measure, none was refused.
    """
    expect(
        not isinstance(trial.answer, (nn.Module, Network)),
        "That is a network already. Give its class, without brackets: "
        'check("denoiser-4", DeepNet)',
    )
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
    want = has_all_parameters(net, width)
    net = moved(trial, net)
    expect(
        keeps_rows_apart(trial, net, x_t, t),
        "What it says of one example changes when the others in the batch "
        "do. Row i must follow from row i of x_t, and t[i], alone.",
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
        "layer used, none of them twice, and free to learn?",
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


def has_all_parameters(net: Network, width: int) -> int:
    """Return how many parameters there must be; refuse another number."""
    layer = width**2 + width
    want = (2 + width) * width + width + 3 * layer + 2 * width + 2
    count = sum(value.numel() for value in net.values)
    why = "A layer in a plain list is not registered: nn.ModuleList."
    if count == want - 2 * layer:
        why = "One layer that is used three times is one layer."
    if count > want:
        why = "The layers given were enough: is there one too many?"
    expect(
        count == want,
        f"With a width of {width} it should have {want:,} parameters, "
        f"and has {count:,}. {why}",
    )
    return want


def moved(trial: Trial, net: Network) -> Network:
    """Return a network with all its parameters a little elsewhere."""
    values = [
        value + 0.1 * trial.normal(*value.shape).to(value.dtype)
        for value in net.values
    ]
    return Network(net.names, values, net.function)


def keeps_rows_apart(
    trial: Trial, net: Network, x_t: Tensor, t: Tensor
) -> bool:
    """Return whether half a batch stays, whatever the other half is."""
    out, half = net(x_t, t), len(t) // 2
    for kept in (slice(half), slice(half, None)):
        other_x, other_t = trial.normal(*x_t.shape).float(), t + 20
        other_x[kept], other_t[kept] = x_t[kept], t[kept]
        if not near(net(other_x, other_t)[kept], out[kept]):
            return False
    return True


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
    """Return whether a slope says what a small move of parameter k does.

    A move over a kink, as ReLU has them, says nothing: one move of five,
    each smaller than the one before, has to agree. All go mostly along the
    slope, so that what does not change at all agrees with none.
    """
    length = float(slope.norm())
    for step in (0.01, 0.003, 0.001, 0.0003, 0.0001):
        chance = trial.normal(*slope.shape).float()
        way = slope / length + 0.5 * chance / chance.norm()
        ends = []
        for move in (step, -step):
            values = list(net.values)
            values[k] = values[k] + move * way
            ends.append(float(size_of(net, values, x_t, t)))
        measured = (ends[0] - ends[1]) / (2 * step)
        if abs(measured - float((slope * way).sum())) <= 0.1 * length:
            return True
    return False
