"""The figures and numbers of chapter 6 that need no contest."""

import math
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from diffusion_lite import plotting
from diffusion_lite.data import two_modes
from diffusion_lite.dirac_gan import (
    alternating_step,
    bowl_loss,
    consensus_eigenvalues,
    minimax,
    non_saturating,
    orbit,
    r1_eigenvalues,
    simultaneous_growth,
    simultaneous_step,
    with_consensus,
    with_r1,
)
from diffusion_lite.gan import jensen_shannon, optimal_logit
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.schedules import Schedule

START = (1.2, 0.0)
GAMES = {
    "minimax, together": (simultaneous_step, minimax),
    "minimax, in turn": (alternating_step, minimax),
    "non-saturating": (simultaneous_step, non_saturating),
    r"R1, $\gamma$ = 1/2": (simultaneous_step, with_r1(minimax, 0.5)),
    r"consensus, $\gamma$ = 1": (
        simultaneous_step,
        with_consensus(minimax, 1.0),
    ),
}
DOTS = {
    "marker": "o",
    "color": plotting.MODEL,
    "markersize": 2,
    "linewidth": 0.6,
}


def quarter_snr() -> Schedule:
    """Return a schedule whose SNR at t = 1 is 1/4."""
    return Schedule.from_betas(torch.tensor([0.8, 0.9999]))


def descend(h: float, steps: int, schedule: Schedule) -> Tensor:
    """Return where gradient descent on bowl_loss goes, (steps + 1,)."""
    path = [torch.tensor(START[0], dtype=torch.float64)]
    for _ in range(steps):
        at = path[-1].requires_grad_()
        (slope,) = torch.autograd.grad(bowl_loss(at, 1, schedule), at)
        path.append((at - h * slope).detach())
    return torch.stack(path).detach()


# ---- the best discriminator -------------------------------------------------


def best_discriminator() -> Figure:
    """Draw what the best discriminator says, and the divergence it gives."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.6, 2.1))
    _probability_of_real(left)
    _divergence_by_distance(right)
    plotting.describe(
        figure,
        "Left: a density with two modes and a single broad one; the best "
        "discriminator's probability is above a half where the first is "
        "higher, and below where the second is. Right: the Jensen-Shannon "
        "divergence of two Gaussians rises from 0 and is flat at log 2 from a "
        "distance of 6.",
    )
    return figure


def normal(mean: float, std: float) -> GaussianMixture:
    """Return a Gaussian on a line."""
    return GaussianMixture(
        torch.ones(1), torch.tensor([[mean]]), torch.tensor([[[std**2]]])
    )


def _probability_of_real(ax: Axes) -> None:
    x = torch.linspace(-3, 3, 301).double()[:, None]
    data, model = two_modes(), normal(0.3, 0.8)
    plotting.density(x[:, 0], data.log_prob(x), ax, plotting.DATA)
    plotting.density(x[:, 0], model.log_prob(x), ax, plotting.MODEL)
    probability = optimal_logit(x, data, model).sigmoid()
    ax.plot(x[:, 0], probability, color=plotting.EXACT)
    ax.text(-2.9, 0.86, "probability of “real”", color=plotting.EXACT)
    ax.text(-2.9, 0.72, "data", color=plotting.DATA)
    ax.text(-2.9, 0.58, "model", color=plotting.MODEL)
    ax.set(xlabel="$x$", ylim=(0, 1.05))


def _divergence_by_distance(ax: Axes) -> None:
    generator = torch.Generator().manual_seed(0)
    means = torch.linspace(0, 8, 33).tolist()
    pairs = ((normal(0.0, 1.0), normal(mean, 1.0)) for mean in means)
    found = [
        float(jensen_shannon(*pair, generator=generator, n=10_000))
        for pair in pairs
    ]
    ax.plot(means, found, color=plotting.EXACT)
    ax.axhline(math.log(2), color=plotting.NOISE, linewidth=0.8)
    ax.text(0, math.log(2) - 0.06, r"$\log 2$", color=plotting.NOISE)
    ax.set(xlabel="distance of the means", ylabel="divergence, nats")
    ax.set_ylim(0, 0.76)


# ---- the game of two numbers ------------------------------------------------


def orbits() -> Figure:
    """Draw six ways to train from one start: five games, one regression."""
    figure, axes = plt.subplots(2, 3, figsize=(5.6, 4.1))
    for ax, (name, game) in zip(axes.flat, GAMES.items(), strict=False):
        _path(ax, orbit(*game, START, 0.3, 60), 2.3)
        ax.set_title(name, loc="center")
        ax.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])
        ax.set_xlabel(r"$\theta$", labelpad=1)
    for ax in axes[:, 0]:
        ax.set_ylabel(r"$\psi$", labelpad=-4)
    ax = axes[1, 2]
    _bowl(ax, descend(0.3, 60, quarter_snr()), 2.3)
    ax.set_title("regression", loc="center")
    ax.set(ylim=(-0.1, 1.3), xticks=[-2, 0, 2], yticks=[0, 1])
    ax.set_xlabel(r"$\theta$", labelpad=1)
    ax.set_ylabel("loss", labelpad=-2)
    plotting.describe(
        figure,
        "Six panels. Minimax with both players moving together: a spiral "
        "outwards. In turn: a closed circle. Non-saturating: a path that "
        "stays on a circle. R1 and consensus: spirals inwards to the centre. "
        "Regression: dots that go down one side of a parabola to its lowest "
        "point.",
    )
    return figure


def _path(ax: Axes, path: Tensor, far: float) -> None:
    """Draw the path of a game, (n, 2), with its start and its end."""
    ax.plot(*path.T, **DOTS)
    _ends(ax, START)
    ax.set(xlim=(-far, far), ylim=(-far, far), aspect="equal")


def _bowl(ax: Axes, theta: Tensor, far: float) -> None:
    """Draw bowl_loss, and the steps theta down it, (n,)."""
    schedule, line = quarter_snr(), torch.linspace(-far, far, 200).double()
    loss = bowl_loss(theta, 1, schedule)
    bowl = bowl_loss(line, 1, schedule)
    ax.plot(line, bowl, color=plotting.INK, linewidth=0.8)
    ax.plot(theta, loss, **DOTS)
    _ends(ax, (START[0], float(loss[0])))
    ax.set(xlim=(-far, far))
    ax.set_box_aspect(1)


def _ends(ax: Axes, start: tuple[float, float]) -> None:
    ax.plot(0, 0, "o", color=plotting.EXACT, markersize=5, zorder=4)
    ax.plot(*start, "o", color=plotting.INK, markersize=6, mfc="none")


def growth() -> Figure:
    """Draw the factor of a step against its size, and rates against gamma."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(5.6, 2.5), width_ratios=[1.35, 1]
    )
    _factors(left)
    _rates(right)
    plotting.describe(
        figure,
        "Left: five curves against the size of a step from 0 to 2.4. Both "
        "players together: above 1 and rising. In turn: level at 1. Consensus "
        "and R1 with gamma one half: below 1 at first, then back above it. R1 "
        "with gamma 1: a straight line down to 0 at a step of 2, then up. "
        "Right: the speed of R1 rises to one half at gamma = 1 and falls "
        "again; that of consensus rises on a straight line.",
    )
    return figure


def _factors(ax: Axes) -> None:
    sizes = torch.linspace(0.01, 2.4, 120).tolist()
    curves = {
        "together": (r1_eigenvalues(0.0), "-"),
        r"consensus, $\gamma$ = 1": (consensus_eigenvalues(1.0), ":"),
        r"R1, $\gamma$ = 1/2": (r1_eigenvalues(0.5), "-."),
        r"R1, $\gamma$ = 1": (r1_eigenvalues(1.0), "--"),
    }
    style = {"color": plotting.MODEL, "linewidth": 1.4}
    for name, (rates, dashes) in curves.items():
        factors = [simultaneous_growth(rates, h) for h in sizes]
        ax.plot(sizes, factors, dashes, **style)
        ax.text(2.45, factors[-1], name, va="center", fontsize=8)
    ax.plot(sizes, [_factor_in_turn(h) for h in sizes], **style)
    ax.text(2.45, 1, "in turn", va="center", fontsize=8)
    ax.set(xlabel="size of a step, $h$", xlim=(0, 2.4), ylim=(0, 1.6))
    ax.set(xticks=[0, 1, 2], yticks=[0, 0.5, 1, 1.5])
    ax.set_title("factor in a step")


def _factor_in_turn(h: float) -> float:
    """Return the larger factor of an alternating step, without a penalty."""
    columns = [
        torch.stack(alternating_step(minimax, *(1e-6 * e), h)) / 1e-6
        for e in torch.eye(2).double()
    ]
    return float(torch.linalg.eigvals(torch.stack(columns)).abs().max())


def _rates(ax: Axes) -> None:
    gammas = torch.linspace(0, 3, 121).tolist()
    curves: list[tuple[str, Callable, str, float, float]] = [
        ("R1", r1_eigenvalues, "--", 2.2, 0.2),
        ("consensus", consensus_eigenvalues, ":", 1.35, 0.62),
    ]
    for name, rates, dashes, x, y in curves:
        speeds = [-float(rates(gamma).real.max()) for gamma in gammas]
        ax.plot(gammas, speeds, dashes, color=plotting.MODEL)
        ax.text(x, y, name, fontsize=8, ha="center")
    ax.set(xlabel=r"penalty, $\gamma$", xlim=(0, 3), ylim=(0, 0.8))
    ax.set(xticks=range(4), yticks=[0, 0.25, 0.5, 0.75])
    ax.set_title("rate at which it falls")


def game_and_regression() -> Figure:
    """Draw the live figure's first state: game, regression, distances."""
    path = orbit(simultaneous_step, non_saturating, START, 0.2, 120)
    theta = descend(0.2, 120, quarter_snr())
    figure, axes = plt.subplot_mosaic(
        [["game", "bowl"], ["far", "far"]],
        figsize=(5.6, 4.3),
        height_ratios=[2.1, 1],
    )
    _arrows(axes["game"])
    _path(axes["game"], path, 2.4)
    axes["game"].set(xlabel=r"$\theta$", ylabel=r"$\psi$", title="the game")
    _bowl(axes["bowl"], theta, 2.4)
    axes["bowl"].set(ylim=(-0.1, 1.44), yticks=[0, 0.5, 1])
    axes["bowl"].set(xlabel=r"$\theta$", ylabel="loss", title="the regression")
    _distances(axes["far"], path.norm(dim=1), theta.abs())
    plotting.describe(
        figure,
        "Three panels. The game's path goes from (1.2, 0) round and round the "
        "centre and stays on a circle. The regression's dots go down a "
        "parabola to its lowest point. Below, the game's distance to the end "
        "stays near 0.6, and the regression's falls on a straight line of the "
        "logarithmic scale, below 0.0001.",
    )
    return figure


def _arrows(ax: Axes) -> None:
    grid = torch.linspace(-2.16, 2.16, 10).double()
    at = torch.meshgrid(grid, grid, indexing="xy")
    velocity = torch.stack(non_saturating(*at))
    velocity = velocity / (velocity.norm(dim=0) + 0.35)
    ax.quiver(
        *at, *velocity, color=plotting.INK, alpha=0.4, scale=15, width=0.005
    )


def _distances(ax: Axes, game: Tensor, regression: Tensor) -> None:
    ax.plot(game, color=plotting.MODEL)
    ax.plot(regression, "--", color=plotting.MODEL)
    ax.text(124, 0.62, "the game", va="center")
    ax.text(72, 1.5e-2, "the regression", va="center")
    ax.set(yscale="log", xlim=(0, 400), ylim=(1e-4, 10), xlabel="steps")
    ax.set(ylabel="distance", yticks=[1e-4, 1e-2, 1])
    ax.minorticks_off()


# ---- its numbers ------------------------------------------------------------


def numbers() -> dict:
    """Return the numbers that the chapter states about the two numbers."""
    return creep() | long_runs() | against_a_regression() | left_out()


def left_out(share: float = 0.1) -> dict:
    """Return the divergences of a model that leaves a class out.

    It is right otherwise: p_data / (1 - share) on all other classes.
    """
    kept = 1 - share
    to_middle = [  # of the data and of the model, from half and half
        kept * math.log(2 * kept / (1 + kept)) + share * math.log(2),
        math.log(2 / (1 + kept)),
    ]
    return {
        "left-out-reverse": -math.log(kept),
        "left-out-js": sum(to_middle) / 2,
    }


def creep() -> dict:
    """Return how long the non-saturating game takes to come in."""
    return {
        "dirac-creep-near": 8 / 0.1**2,
        "dirac-creep-far": 8 / 0.01**2,
        "dirac-turn": 2 * math.pi / 0.5,
    }


def long_runs(steps: int = 4000, h: float = 0.2) -> dict:
    """Return where long runs stay, beside what the formulas say."""
    factor = simultaneous_growth(r1_eigenvalues(0.0), h)
    together, in_turn = (
        orbit(step, non_saturating, START, h, steps).norm(dim=1)
        for step in (simultaneous_step, alternating_step)
    )
    radius = together[-1000:]
    assert abs(float(radius.mean()) - math.sqrt(2 * h)) < 0.05
    assert float(radius.min()) > 0.4
    return {
        "dirac-growth": factor,
        "dirac-doubling": math.log(2) / math.log(factor),
        "dirac-run": steps,
        "dirac-ring": math.sqrt(2 * h),
        "dirac-ring-run": float(radius.mean()),
        "dirac-turn-run": float(in_turn[-100:].mean()),
        "dirac-turn-formula": math.sqrt(8 / (steps * h)),
    }


def against_a_regression() -> dict:
    """Return the steps that a tuned game and a regression need."""
    game = orbit(simultaneous_step, with_r1(minimax, 1.0), START, 0.2, 200)
    far = {
        "r1": game.norm(dim=1),
        "bowl": descend(0.2, 200, quarter_snr()).abs(),
    }
    counts = {name: int((each > 1e-3).sum()) for name, each in far.items()}
    assert counts["bowl"] < counts["r1"] < 1.6 * counts["bowl"]
    check_the_saddle_of_a_product()
    return {f"dirac-steps-{name}": count for name, count in counts.items()}


def check_the_saddle_of_a_product() -> None:
    """Assert that the loss of theta = ab, data at 1, has a saddle at 0."""
    hessian = torch.autograd.functional.hessian(
        lambda w: bowl_loss(w[0] * w[1] - 1, 1, quarter_snr()),
        torch.zeros(2).double(),
    )
    low, high = torch.linalg.eigvalsh(hessian).tolist()
    assert low < 0 < high
