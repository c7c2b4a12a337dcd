"""The figures that chapters 6 and 7 draw from the contest's table."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from diffusion_lite import plotting
from experiments.contest.results import trainings, values
from experiments.contest.sizes import Size

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
    ("ring", "energy", "energy distance", (3e-4, 1e-3, 3e-3, 1e-2)),
    ("ring", "weights_tv", "error of the shares", (3e-3, 1e-2, 3e-2)),
    ("ring", "recall", "recall", None),
    ("digits", "frechet", "Fréchet distance", (5, 10, 20, 50)),
    ("digits", "precision", "precision", None),
    ("digits", "recall", "recall", None),
)
THERE = {  # what is run to sample, and what leads back to the latent
    "diffusion": ("denoiser", "noise, fixed"),
    "gan-r1": ("generator", None),
    "vae": ("decoder", "encoder"),
    "flow": ("the same network", "inverse"),
}


def mean(rows: list[dict], task: str, method: str, measure: str) -> float:
    """Return a measure's mean over the finished trainings."""
    return float(values(rows, task, method, measure).mean())


def dots(
    ax: Axes, rows: list[dict], task: str, measure: str, names: dict[str, str]
) -> Axes:
    """Draw a line of dots for each method, a dot a seed, a bar their mean."""
    for y, method in enumerate(names):
        x = values(rows, task, method, measure)
        color = plotting.EXACT if method == "real" else plotting.MODEL
        ax.plot(x, [y] * len(x), "o", color=color, markersize=3.5, alpha=0.5)
        ax.plot(x.mean(), y, "|", color=color, markersize=13)
    ax.set_yticks(range(len(names)), names.values())
    ax.set_ylim(len(names) - 0.5, -0.5)
    return ax


def logarithmic(ax: Axes, ticks: tuple, axis: str = "x") -> None:
    """Give an axis a logarithmic scale with these ticks, as plain numbers."""
    ax.set(**{f"{axis}scale": "log"})
    ax.minorticks_off()
    ax.set(**{f"{axis}ticks": ticks})
    ax.set(**{f"{axis}ticklabels": [f"{tick:g}" for tick in ticks]})


def games_on_the_ring(rows: list[dict]) -> Figure:
    """Draw three measures of diffusion, both GANs and real data."""
    shown = {
        "energy": "energy distance",
        "weights_tv": "error of the shares",
        "seconds_thousand": "seconds for 1,000",
    }
    figure, axes = plt.subplots(1, 3, sharey=True, figsize=(5.6, 1.8))
    for ax, (measure, title) in zip(axes, shown.items(), strict=True):
        dots(ax, rows, "ring", measure, GAMES).set(xscale="log", title=title)
        ax.minorticks_off()
    words = (
        f"{name}: mean {title} {mean(rows, 'ring', method, measure):.2g}"
        for measure, title in shown.items()
        for method, name in GAMES.items()
        if (method, measure) != ("real", "seconds_thousand")
    )
    plotting.describe(
        figure,
        "Three panels of dots for diffusion, GAN, GAN with R1 and real data. "
        + "; ".join(words),
    )
    return figure


def losses_and_distances(rows: list[dict]) -> Figure:
    """Draw loss and distance over the seconds of each training, digits."""
    figure, axes = plt.subplots(2, 3, sharex=True, figsize=(5.6, 2.6))
    for column, name in zip(
        axes.T, ("diffusion", "gan", "gan-r1"), strict=True
    ):
        for run in trainings(rows, "digits", name):
            seconds = [row["seconds"] for row in run]
            for ax, what in zip(column, ("loss", "distance"), strict=True):
                y = [row[what] for row in run]
                ax.plot(seconds, y, color=plotting.MODEL, linewidth=0.9)
        column[0].set(title=GAMES[name], ylim=(0, None))
        column[1].set(yscale="log", ylim=(4, 6000), xlabel="seconds")
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("Fréchet distance")
    for ax in axes[1, 1:]:
        ax.set_yticklabels([])
    plotting.describe(
        figure,
        "Three pairs of panels. The diffusion loss and its distance fall "
        "together. The plain GAN's loss rises, falls and rises again, while "
        "its distance falls, stays high, and grows a little at the end. With "
        "R1 the loss rises at first, then falls with the distance.",
    )
    return figure


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
        ax.set(title=f"{task}: {title}" if measure != "weights_tv" else title)
        ax.title.set_fontsize(8)
        if ticks:
            logarithmic(ax, ticks)
            ax.tick_params(axis="x", labelsize=7)
    words = (
        f"{title} on the {task}: "
        + ", ".join(
            f"{name} {mean(rows, task, method, measure):.2g}"
            for method, name in EVERYONE.items()
        )
        for task, measure, title, _ in PANELS
    )
    plotting.describe(
        figure, f"Six panels of dots for seven rows. {'. '.join(words)}."
    )
    return figure
