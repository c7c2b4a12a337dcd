"""The figures that are drawn from the contest's table."""

import math
import statistics

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from diffusion_lite import plotting
from experiments.contest.shown import median, values
from experiments.contest.sizes import Size
from experiments.contest.verdicts import Verdict, advantage, all_verdicts

GAMES = {
    "diffusion": "diffusion",
    "gan": "GAN",
    "gan-r1": "GAN with R1",
    "real": "real data",
}
FAMILIES = {
    "diffusion": "diffusion",
    "gan-r1": "GAN with R1",
    "vae": "VAE",
    "flow": "flow",
}
EVERYONE = FAMILIES | {
    "mixture": "fitted mixture",
    "kde": "kernel density",
    "real": "real data",
}
PANELS = (  # task, measure, title, ticks
    ("ring", "energy", "energy distance", (1e-3, 3e-3, 1e-2)),
    ("ring", "weights_tv", "error of the shares", (1e-2, 3e-2, 1e-1)),
    ("ring", "recall", "recall", None),
    ("digits", "frechet", "Fréchet distance", (10, 20, 50, 100)),
    ("digits", "precision", "precision", None),
    ("digits", "recall", "recall", None),
)
THERE = {  # what is run to sample, and what leads back to the latent
    "diffusion": ("denoiser", "noise, fixed"),
    "gan-r1": ("generator", None),
    "vae": ("decoder", "encoder"),
    "flow": ("the same network", "inverse"),
}
MARKERS = {"seconds": ("o", -0.16), "operations": ("s", 0.16)}
MODES = {"ring": 8, "grid25": 25, "grid100": 100, "grid400": 400}
WIDEST = 30.0


# ---- chapters 6 and 7 -------------------------------------------------------


def dots(
    ax: Axes, rows: list[dict], task: str, measure: str, names: dict[str, str]
) -> Axes:
    """Draw a line of dots for each method, a dot a seed, a bar the median.

    What blew up is an arrow at the edge.
    """
    for y, method in enumerate(names):
        found = values(rows, task, method, measure)
        x = [v for v in found if v < math.inf]
        color = plotting.EXACT if method == "real" else plotting.MODEL
        ax.plot(x, [y] * len(x), "o", color=color, markersize=3.5, alpha=0.5)
        middle = median(rows, task, method, measure)
        ax.plot(middle, y, "|", color=color, markersize=13)
        if len(x) < len(found):
            style = {"color": color, "ms": 5, "clip_on": False}
            ax.plot(1, y, ">", transform=ax.get_yaxis_transform(), **style)
    ax.set_yticks(range(len(names)), names.values())
    ax.set_ylim(len(names) - 0.5, -0.5)
    return ax


def logarithmic(ax: Axes, ticks: tuple) -> None:
    """Give the x axis a logarithmic scale with these ticks, as numbers."""
    ax.set(xscale="log")
    ax.minorticks_off()
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


def games_on_the_ring(rows: list[dict]) -> Figure:
    """Draw three measures of diffusion, both GANs and real data."""
    shown = {
        "energy": "energy distance",
        "weights_tv": "error of the shares",
        "seconds_block": "seconds for one",
    }
    figure, axes = plt.subplots(1, 3, sharey=True, figsize=(5.6, 1.8))
    for ax, (measure, title) in zip(axes, shown.items(), strict=True):
        dots(ax, rows, "ring", measure, GAMES).set(xscale="log", title=title)
        ax.minorticks_off()
    plotting.describe(
        figure,
        "Three panels of dots for diffusion, GAN, GAN with R1 and real data. "
        + "; ".join(
            _medians(rows, "ring", measure, title, GAMES)
            for measure, title in shown.items()
        ),
    )
    return figure


def _medians(
    rows: list[dict], task: str, measure: str, title: str, names: dict
) -> str:
    each = []
    for method, name in names.items():
        lost = values(rows, task, method, measure).count(math.inf)
        blown = f" ({lost} blew up, at the edge)" if lost else ""
        middle = f"{median(rows, task, method, measure):.2g}"
        each.append(f"{name} {middle}{blown}".replace("inf", "infinite"))
    return f"median {title}: {', '.join(each)}"


def latents(sizes: dict[str, Size]) -> Figure:
    """Draw, for each family, its latent, a picture, and the ways between."""
    figure, axes = plt.subplots(2, 2, figsize=(5.6, 2.6))
    for ax, (name, size) in zip(axes.flat, sizes.items(), strict=True):
        plotting.bare(ax).set(xlim=(0, 10), ylim=(0, 10))
        ax.set_title(FAMILIES[name])
        _bar(ax, 0.6, size.latent, plotting.NOISE)
        _bar(ax, 8.6, 64, plotting.MODEL)
        _ways(ax, *THERE[name], size.passes)
    plotting.describe(
        figure,
        "Four diagrams, each a grey bar, the latent, and an orange bar, the "
        "picture of 64 numbers. "
        + " ".join(
            f"{FAMILIES[name]}: a latent of {size.latent}, passes for a "
            f"sample: {size.passes}."
            for name, size in sizes.items()
        ),
    )
    return figure


def _bar(ax: Axes, x: float, count: int, color: str) -> None:
    high = 6.4 * count / 64
    ax.add_patch(Rectangle((x, 4.6 - high / 2), 0.8, high, color=color, lw=0))
    ax.text(x + 0.4, -0.2, f"{count}", ha="center")


def _ways(ax: Axes, there: str, back: str | None, passes: int) -> None:
    arrow = {"arrowstyle": "->", "color": plotting.INK, "lw": 1}
    ax.annotate("", (8.3, 5.4), (1.7, 5.4), arrowprops=arrow)
    count = f"{passes} passes" if passes > 1 else "one pass"
    ax.text(5, 5.9, f"{there}, {count}", ha="center", fontsize=8)
    if back:
        arrow["ls"] = "--"
        ax.annotate("", (1.7, 3.6), (8.3, 3.6), arrowprops=arrow)
        ax.text(5, 2.3, back, ha="center", fontsize=8)


def everyone(rows: list[dict]) -> Figure:
    """Draw six measures of all families and baselines."""
    figure, axes = plt.subplots(2, 3, sharey=True, figsize=(5.6, 2.5))
    for ax, panel in zip(axes.flat, PANELS, strict=True):
        task, measure, title, ticks = panel
        dots(ax, rows, task, measure, EVERYONE)
        ax.set_title(f"{task}: {title}", fontsize=8)
        if ticks:
            logarithmic(ax, ticks)
            ax.tick_params(axis="x", labelsize=7)
    plotting.describe(
        figure,
        "Six panels of dots for seven rows. "
        + "; ".join(
            _medians(rows, task, measure, f"{title} on the {task}", EVERYONE)
            for task, measure, title, _ in PANELS
        ),
    )
    return figure


# ---- the contest ------------------------------------------------------------


LINES = {  # of the picture: task, measure, the builds of both sides
    "ring": ("ring", "energy", "perceptron", "perceptron"),
    "25 modes": ("grid25", "energy", "perceptron", "perceptron"),
    "100 modes": ("grid100", "energy", "perceptron", "perceptron"),
    "400 modes": ("grid400", "energy", "perceptron", "perceptron"),
    "digits, perceptrons": ("digits", "frechet", "perceptron", "perceptron"),
    "digits, convolutions": (
        *("digits", "frechet"),
        *("convolution", "convolution"),
    ),
    "digits, the better of each": (
        *("digits", "frechet"),
        *("convolution", "perceptron"),
    ),
}


def against_r1(rows: list[dict]) -> dict[tuple[str, str], Verdict]:
    """Return the verdicts of the picture, by its line and the currency."""
    asked = {
        (each.task, each.measure, each.sides, each.currency): each
        for each in all_verdicts(rows)
    }
    found = {}
    for line, (task, measure, ours, theirs) in LINES.items():
        sides = ("diffusion", ours), ("gan-r1", theirs)
        for currency in MARKERS:
            each = asked.get((task, measure, sides, currency))
            if each is not None:
                found[line, currency] = each
    return found


def ratios(rows: list[dict]) -> Figure:
    """Draw how many times the diffusion model's distance the GAN has."""
    figure, ax = plt.subplots(figsize=(5.6, 2.7))
    ax.axvline(1, color=plotting.EXACT, linewidth=0.8)
    for (line, currency), each in against_r1(rows).items():
        marker, off = MARKERS[currency]
        y = list(LINES).index(line) + off
        middle, low, high = (
            min(max(x, 1 / WIDEST), WIDEST) for x in advantage(each)
        )
        ax.plot([low, high], [y, y], color=plotting.MODEL, linewidth=1.2)
        for x, edge, arrow in ((low, 1 / WIDEST, "<"), (high, WIDEST, ">")):
            if x == edge:  # beside the mark, should that stand there too
                beside = edge**1.08
                ax.plot(beside, y, arrow, color=plotting.MODEL, ms=5)
        fill = plotting.MODEL if each.winner else "none"
        ax.plot(middle, y, marker, color=plotting.MODEL, mfc=fill, ms=5)
    ax.set_yticks(range(len(LINES)), list(LINES))
    ax.set_ylim(len(LINES) - 0.5, -0.5)
    logarithmic(ax, (0.1, 0.2, 0.5, 1, 2, 5, 10))
    ax.set_xlabel("GAN with R1's distance / diffusion's")
    plotting.describe(figure, _ratios_in_words(rows))
    return figure


def _ratios_in_words(rows: list[dict]) -> str:
    words = (
        "{}, equal {}: {:.2g} ({:.2g} to {:.2g}), ".format(
            line, currency, *advantage(each)
        ).replace("inf", "infinite")
        + ("a verdict" if each.winner else "no verdict")
        for (line, currency), each in against_r1(rows).items()
    )
    return (
        "Marks with intervals on a logarithmic axis, around a line at 1. "
        "Ratio of the GAN's distance to the diffusion model's: "
        + "; ".join(words)
        + "."
    )


def modes(rows: list[dict]) -> Figure:
    """Draw the error of the shares, and energy, against the modes' number."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.6, 2.3))
    styles = {
        "diffusion": ("o", plotting.MODEL, 0.94),
        "gan-r1": ("x", plotting.INK, 1.06),
        "real": (".", plotting.EXACT, 1.0),
    }
    for method, (marker, color, beside) in styles.items():
        for task, count in MODES.items():
            for ax, measure in ((left, "weights_tv"), (right, "energy")):
                y = _at_equal_operations(rows, task, method, measure)
                style = {"color": color, "ms": 4, "alpha": 0.6}
                x = [count * beside] * len(y)
                ax.plot(x, y, marker, **style, label=GAMES[method])
    for ax in (left, right):
        logarithmic(ax, tuple(MODES.values()))
        ax.set(xlabel="modes", yscale="log")
        ax.set_yticks((1, 10), ("1", "10"))
    left.set(title="error of the shares, %")
    right.set(title="energy distance / floor")
    handles, labels = left.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    left.legend(unique.values(), unique.keys(), fontsize=7)
    plotting.describe(figure, _modes_in_words(rows))
    return figure


def _at_equal_operations(
    rows: list[dict], task: str, method: str, measure: str
) -> list[float]:
    """Return the shares' errors in percent, or multiples of the floor."""
    currency = "seconds" if method == "real" else "operations"
    found = values(rows, task, method, measure, currency)
    if measure == "weights_tv":
        return [100 * x for x in found]
    floor = median(rows, task, "real", measure)
    return [x / floor for x in found]


def _modes_in_words(rows: list[dict]) -> str:
    words = []
    for task, count in MODES.items():
        for method in ("diffusion", "gan-r1", "real"):
            error, energy = (
                statistics.median(
                    _at_equal_operations(rows, task, method, measure)
                )
                for measure in ("weights_tv", "energy")
            )
            words.append(
                f"{count} modes, {GAMES[method]}: {error:.2g} %, "
                f"{energy:.2g} times the floor"
            )
    return "Two panels of dots against the number of modes, medians. " + (
        "; ".join(words)
    )


def live_still(rows: list[dict]) -> Figure:
    """Draw the live figure's first state: the ring, equal operations."""
    figure, ax = plt.subplots(figsize=(5.6, 1.7))
    names = {name: GAMES[name] for name in ("diffusion", "gan-r1", "real")}
    pair = []
    for y, method in enumerate(names):
        currency = "seconds" if method == "real" else "operations"
        x = values(rows, "ring", method, "energy", currency)
        color = plotting.EXACT if method == "real" else plotting.MODEL
        ax.plot(x, [y] * len(x), "o", color=color, markersize=3.5, alpha=0.6)
        pair.append(x)
    for a, b in zip(*pair[:2], strict=True):
        ax.plot([a, b], [0, 1], color=plotting.INK, linewidth=0.4)
    ax.set_yticks(range(len(names)), names.values())
    ax.set(ylim=(2.5, -0.5), xscale="log", xlabel="energy distance")
    ax.minorticks_off()
    plotting.describe(
        figure,
        "Three rows of twelve dots for diffusion, GAN with R1 and real data; "
        "lines join the two sides' dots of one seed.",
    )
    return figure
