"""The figures that chapter 10 draws from the table, one function each."""

from functools import partial

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from diffusion_lite import plotting
from diffusion_lite.sampling import ddpm_sample
from diffusion_lite.training import last
from experiments.fast import protocol
from experiments.fast.protocol import GRIDS, SCHEDULE
from experiments.fast.run import OWN
from experiments.fast.students import METHODS, in_one_pass
from experiments.fast.table import Row, chosen, mean, values

MARKS = {  # of each solver: a dash and a marker, so that no colour is needed
    "DDIM": ("-", "o"),
    "DDIM, eta 1": ("--", "o"),
    "Heun": ("-", "s"),
    "midpoint": ("-.", "^"),
    "Adams-Bashforth 2": ("--", "v"),
    "Adams-Bashforth 3": (":", "v"),
    "2M": ("-", "D"),
}
SHADES = {  # as everywhere in the chapter
    "DDIM": plotting.MODEL,
    "DDIM, eta 1": plotting.MODEL,
    "Heun": plotting.NOISE,
    "midpoint": plotting.NOISE,
    "Adams-Bashforth 2": plotting.EXACT,
    "Adams-Bashforth 3": plotting.EXACT,
    "2M": plotting.DATA,
}
SHOWN = ("DDIM", "DDIM, eta 1", "Heun", "Adams-Bashforth 3", "2M")
PASSES = (1, 2, 5, 10, 20, 50, 100)


def curve(
    rows: list[Row], part: str, solver: str, column: str = "distance"
) -> tuple[list[int], list[float]]:
    """Return a solver's passes on its own grid, and the means there."""
    options = {"part": part, "method": solver, "grid": OWN[solver]}
    passes = sorted({row.passes for row in chosen(rows, **options)})
    return passes, [mean(rows, column, passes=n, **options) for n in passes]


def plot(
    ax: Axes, rows: list[Row], part: str, solver: str, column: str = "distance"
) -> str:
    """Plot a curve; return it in words."""
    dash, marker = MARKS[solver]
    passes, y = curve(rows, part, solver, column)
    style = {"color": SHADES[solver], "markersize": 3.5, "linewidth": 1.2}
    ax.plot(passes, y, dash, marker=marker, label=solver, **style)
    pairs = zip(passes, y, strict=True)
    return f"{solver}: " + ", ".join(f"{n} {x:.3g}" for n, x in pairs)


def axes_of_passes(ax: Axes, ticks: tuple[float, ...], **labels: str) -> None:
    """Make both axes logarithmic, with plain numbers."""
    ax.set(xscale="log", yscale="log", xlabel="passes", **labels)
    ax.minorticks_off()
    ax.set_xticks(PASSES, [f"{n}" for n in PASSES])
    ax.set_yticks(ticks, [f"{x:g}" for x in ticks])


def level(ax: Axes, y: float, color: str, dash: str, label: str) -> str:
    """Draw a level across; return it in words."""
    ax.axhline(y, color=color, linestyle=dash, linewidth=1, label=label)
    return f"{label}: {y:.3g}"


def frontier(rows: list[Row]) -> Figure:
    """Draw distance against passes, for the digits and for MNIST."""
    figure, axes = plt.subplots(1, 2, figsize=(5.6, 2.7))
    words = []
    panels = (
        ("digits", "8x8 digits", (5, 10, 20, 50, 100)),
        ("mnist", "MNIST", (25, 50, 100)),
    )
    for ax, (part, title, ticks) in zip(axes, panels, strict=True):
        words.append(title)
        there = [x for x in SHOWN if chosen(rows, part=part, method=x)]
        words += [plot(ax, rows, part, solver) for solver in there]
        for name, dash, color in (
            ("DDPM", "--", plotting.INK),
            ("real", ":", plotting.INK),
        ):
            label = {"DDPM": "DDPM, 99 passes", "real": "real"}[name]
            y = mean(rows, part=part, method=name)
            words.append(level(ax, y, color, dash, label))
        axes_of_passes(ax, ticks, title=title)
    axes[0].set(ylabel="Fréchet distance", ylim=(3.5, 150), xlim=(1.5, 110))
    axes[1].set(xlim=(4, 110))
    axes[0].legend(fontsize=7, loc="upper right")
    plotting.describe(figure, "Distance against passes. " + "; ".join(words))
    return figure


def two_errors(rows: list[Row]) -> Figure:
    """Draw the solver's error, and what of the distance it explains."""
    figure, axes = plt.subplots(1, 2, figsize=(5.6, 2.6))
    words = []
    panels = (
        (
            axes[0],
            "error",
            "error of the solver",
            (0.003, 0.01, 0.03, 0.1, 0.3),
        ),
        (axes[1], "distance", "Fréchet distance", (2, 5, 10, 20, 50)),
    )
    names = {"digits": "trained network", "exact": "exact denoiser"}
    for ax, column, title, ticks in panels:
        for part, color in (
            ("digits", plotting.MODEL),
            ("exact", plotting.EXACT),
        ):
            for solver, dash in (("DDIM", "--"), ("2M", "-")):
                passes, y = curve(rows, part, solver, column)
                label = f"{names[part]}, {solver}"
                ax.plot(passes, y, dash, color=color, label=label)
                words.append(f"{title}, {label}: {y[0]:.3g} to {y[-1]:.3g}")
        axes_of_passes(ax, ticks, title=title)
    axes[0].legend(fontsize=7)
    plotting.describe(figure, "Two panels. " + "; ".join(words))
    return figure


def two_passes(solver: str) -> bool:
    """Return whether a step of the solver takes two passes."""
    return protocol.SOLVERS[solver][1] == 2


def losses_and_distances(rows: list[Row]) -> Figure:
    """Draw loss and distance of the digits' students as they learn."""
    figure, axes = plt.subplots(
        2, 4, figsize=(5.6, 2.7), sharex="col", sharey="row"
    )
    words = []
    for column, name in zip(axes.T, METHODS, strict=True):
        part = f"digits, {name}"
        found = chosen(rows, part=part)
        if name != "progressive":
            found = chosen(found, passes=1)
        steps = sorted({row.step for row in found})
        minutes, losses, distances = (
            [mean(found, key, step=step) for step in steps]
            for key in ("minutes", "loss", "distance")
        )
        column[0].plot(minutes, losses, color=plotting.MODEL)
        column[1].plot(minutes, distances, color=plotting.MODEL)
        column[0].set_title(name.replace(", ", ",\n"), fontsize=8)
        column[1].set(xlabel="CPU minutes", ylim=(5, 600))
        for ax in column:
            ax.set_yscale("log")
        words.append(
            f"{name}: the loss goes from {losses[0]:.2g} to {losses[-1]:.2g}, "
            f"the distance from {distances[0]:.3g} to {distances[-1]:.3g}"
        )
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("distance")
    plotting.describe(figure, "; ".join(words))
    return figure


def drawn(columns: int = 10, seed: int = 0) -> dict[str, Tensor]:
    """Return the digits from 0 on by many passes and by students, in one."""
    y = torch.arange(columns) % 10
    generator = torch.Generator().manual_seed(seed)
    x_T = torch.randn(columns, 1, 8, 8, generator=generator)
    net = protocol.kept(protocol.network(), "network")
    ask = partial(protocol.clamped, y=y)
    run = ddpm_sample(ask(net), x_T, SCHEDULE, generator=generator)
    made = {"DDPM, 99 passes": last(run)}
    times = GRIDS[OWN["2M"]](SCHEDULE, 10)
    run = protocol.SOLVERS["2M"][0](ask(net), x_T, SCHEDULE, times)
    made["2M, 10 passes"] = last(run)
    for name in METHODS:
        made[name] = in_one_pass(name, y, x_T)
    return made


def one_pass() -> Figure:
    """Draw the digits 0 to 9, a row for each way, from the same noise."""
    rows = drawn()
    figure, ax = plt.subplots(figsize=(5.6, 2.2))
    plotting.pictures(torch.cat(list(rows.values())), ax, columns=10)
    labels = [x if "passes" in x else f"{x}, 1 pass" for x in rows]
    ax.set_yticks([9 * i + 3.5 for i in range(len(rows))], labels)
    ax.tick_params(length=0)
    ax.set_anchor("E")
    plotting.describe(
        figure,
        "Six rows of ten small digits, 0 to 9, from the same noise: "
        + "; ".join(rows),
    )
    return figure


def spread(rows: list[Row], **wanted: object) -> float:
    """Return the standard deviation over the seeds."""
    return float(torch.tensor(values(rows, **wanted)).std())
