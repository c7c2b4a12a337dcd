"""Checks of chapter 4: the network that guesses the noise."""

import torch
from torch import Tensor, nn

from diffusion_lite.exercises.forward import some_schedule
from diffusion_lite.exercises.trial import (
    Network,
    Trial,
    exercise,
    expect,
    finite,
    near,
    one_number,
    versus,
    worst,
)
from diffusion_lite.schedules import Schedule


@exercise("denoiser-1")
def the_embedding_of_time(trial: Trial) -> str:
    """Look at the start, the squares, and each wave at times in no order."""
    for d, low in ((8, 0), (32, 5)):
        h, t = d // 2, some_times(trial, low)
        emb = trial.tensor(t, d, shape=(len(t), d))
        named = trial.looks_like(
            emb, lambda mistake, t=t, d=d: mistake(t, d), 1e-3
        )
        start = torch.arange(d) >= h
        expect(
            low > 0 or near(emb[int(t.argmin())], start),
            f"At t = 0 the first half must be 0 and the second 1.{named}",
        )
        expect(
            near(emb[:, :h] ** 2 + emb[:, h:] ** 2, 1.0),
            "The squares of a sine and its cosine must have the sum 1: are "
            "their frequencies the same?",
        )
        i = torch.arange(h, dtype=torch.float64)
        angle = torch.outer(t.double(), 10 ** (-4 * i / h))
        want = torch.cat([angle.sin(), angle.cos()], dim=1)
        row, column = place = divmod(worst(emb, want), d)
        kind = "sine" if column < h else "cosine"
        expect(
            near(emb, want, 1e-3),
            f"With d = {d}, at t = {int(t[row])}, the {kind} number "
            f"{column % h} is wrong: {versus(emb[place], want[place])}{named}",
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


EQUAL = (
    " Where all keys are equal, each place must get the mean of all values, "
    "and does not."
)


@exercise("denoiser-2")
def attention_in_four_lines(trial: Trial) -> str:
    """Try PyTorch's own attention, equal keys, and very large scores."""
    pytorchs = nn.functional.scaled_dot_product_attention
    for B, N, C in ((2, 5, 8), (3, 4, 16)):
        q, k, v = (trial.normal(B, N, C) for _ in range(3))
        q = 2 * q
        equal = trial.tensor(q, 0 * k + 1, v, shape=(B, N, C))
        trial.agrees(
            trial.tensor(q, k, v, shape=(B, N, C)),
            pytorchs(q, k, v),
            f"With B, N, C = {B}, {N}, {C}, where it is furthest from "
            "PyTorch's attention",
            lambda mistake, given=(q, k, v): mistake(*given),
            otherwise=EQUAL * (not near(equal, v.mean(1, keepdim=True))),
        )
        far = trial.call(1000 * q, k, v)
        expect(
            finite(far) and near(far, pytorchs(1000 * q, k, v), 0.01),
            "With queries 1,000 times as large it goes wrong: exp runs out "
            "of numbers, softmax does not.",
        )
    return "PyTorch's own attention, equal keys and large scores, two shapes."


@exercise("denoiser-3")
def the_best_line(trial: Trial) -> str:
    """Hold the factor against the lowest point of the expected error."""
    for T in (20, 20, 100, 100):
        schedule = some_schedule(trial, T)
        given = variance, t, _ = trial.told_apart(
            lambda T=T, schedule=schedule: (
                trial.uniform(2.0, 5.0),
                trial.integer(2, T - 2),
                schedule,
            ),
            lowest_point,
            1e-3,
        )
        result = trial.call(*given)
        expect(
            not isinstance(result, (tuple, list)),
            "It returns more than one thing: return c alone.",
        )
        where = f"For variance {variance:.3f} at t = {t} of {T} "
        trial.agrees(
            one_number(result, f"{where}it returns"),
            lowest_point(*given),
            f"{where}the best factor is wrong",
            lambda mistake, given=given: mistake(*given),
        )
    return "four variances and times, against the lowest point of the error."


def lowest_point(variance: float, t: int, schedule: Schedule) -> float:
    """Return the c of the lowest expected (eps - c x_t)^2.

    It is a parabola in c, known by three of its points.
    """
    a = float(schedule.alpha_bar[t])
    left, middle, right = (
        (1 - c * (1 - a) ** 0.5) ** 2 + c**2 * a * variance for c in (-1, 0, 1)
    )
    return (left - right) / (left - 2 * middle + right) / 2


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
    Trial(net, 0).tensor(x_t, t, shape=(16, 2))
    expect(
        isinstance(net(x_t, t), Tensor),
        "The network must return a tensor: an array of NumPy has no slopes.",
    )
    want = has_all_parameters(net, width)
    net = moved(trial, net)
    expect(
        keeps_rows_apart(trial, net, x_t, t),
        "What it says of one example changes when the others in the batch "
        "do. Row i must follow from row i of x_t, and t[i], alone.",
    )
    every_parameter_learns(trial, net, x_t, t)
    expect(
        not near(net(x_t, t), net(x_t, t.flip(0))),
        "The time makes no difference to what comes out.",
    )
    return f"{want:,} parameters, and every one of them learns."


def every_parameter_learns(
    trial: Trial, net: Network, x_t: Tensor, t: Tensor
) -> None:
    """Refuse parameters without a slope, or with one that is not theirs."""
    slopes = slopes_of(net, x_t, t)
    moving = {
        name: slope
        for name, slope in zip(net.names, slopes, strict=True)
        if slope is not None and float(slope.abs().max()) > 0
    }
    still = [name for name in net.names if name not in moving]
    expect(
        not still,
        f"These parameters get no slope: {', '.join(still)}. Is every "
        "layer used, none of them twice, and free to learn?",
    )
    for k, name in enumerate(net.names):
        expect(
            is_slope(trial, net, k, moving[name], x_t, t),
            f"Moved a little, {name} does not change what comes out as its "
            "slope says. Is what learns also what is used?",
        )


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
        f"With a width of {width} the number of parameters is wrong: yours "
        f"{count:,}, should be {want:,}. {why}",
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


def size_of(
    net: Network, values: list[Tensor], x_t: Tensor, t: Tensor
) -> Tensor:
    """Return the mean square of what a network with these values says."""
    return net.function(values, x_t, t).double().square().mean()


def slopes_of(net: Network, x_t: Tensor, t: Tensor) -> list[Tensor | None]:
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
