"""The figures and numbers of chapter 7 that need no contest."""

import math
from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Normal

from diffusion_lite import plotting
from diffusion_lite.data import digits, eight_modes
from diffusion_lite.elbo import normal_kl, normal_log_prob
from diffusion_lite.flow import Flow, flow_loss
from diffusion_lite.training import last, train

STD = 0.3
"""Of the decoder that folds: x = z^2 - 1, with noise of this size."""

Z = torch.linspace(-5, 5, 1201).double()
DZ = float(Z[1] - Z[0])


# ---- what a Gaussian posterior loses ----------------------------------------


@dataclass(frozen=True)
class Fold:
    """log p(x) of the folding decoder, and its best bounds, by a sum over z.

    Shapes: x, exact, bounds and best (61,); the Gaussians are (3321, 1).
    """

    x: Tensor
    exact: Tensor
    bounds: Tensor
    best: Tensor  # which Gaussian gives the bound
    gaussians: Normal

    @property
    def lost(self) -> float:
        """How far the bound is below log p(x), at x = 1."""
        return float(self.exact[30] - self.bounds[30])


def fold() -> Fold:
    """Return exact values and bounds, for x from -2 to 4."""
    x = torch.linspace(-2, 4, 61).double()
    log_joint = log_likelihood(x[:, None]) + log_normal(Z, 0.0, 1.0)
    exact = log_joint.logsumexp(1) + math.log(DZ)
    gaussians = all_gaussians()
    log_q = gaussians.log_prob(Z)
    q = log_q.exp() * DZ
    each = q @ log_joint.T - (q * log_q).sum(1, keepdim=True)
    bounds, best = each.max(0)
    return Fold(x, exact, bounds, best, gaussians)


def all_gaussians() -> Normal:
    """Return a grid of Gaussians over z, (3321, 1)."""
    means = torch.linspace(-2, 2, 81).double()
    stds = torch.logspace(-1.4, 0.2, 41).double()
    return Normal(*torch.cartesian_prod(means, stds).T[..., None])


def log_likelihood(x: float | Tensor) -> Tensor:
    """Return log p(x | z) of the folding decoder, on the grid of z."""
    return log_normal(x, Z**2 - 1, STD)


def log_normal(x: Tensor, mean: Tensor | float, std: float) -> Tensor:
    """Return the log-density of a Gaussian on a line."""
    x = torch.as_tensor(x, dtype=torch.float64)
    mean = torch.as_tensor(mean, dtype=torch.float64)
    return normal_log_prob(x, mean, torch.tensor(std**2).double())


def bound(folded: Fold) -> Figure:
    """Draw the posterior with the best Gaussian, and the bound below log p."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.6, 2))
    _posterior_and_best(left, folded)
    right.plot(folded.x, folded.exact, color=plotting.EXACT, label="exact")
    style = {"color": plotting.MODEL, "label": "bound"}
    right.plot(folded.x, folded.bounds, "--", **style)
    right.set(xlabel="$x$", ylabel="nats", ylim=(-6, 0.5))
    right.legend()
    plotting.describe(
        figure,
        "Left: two equal narrow peaks near -1.4 and 1.4, and a dashed "
        "Gaussian over one of them. Right: the bound lies below the exact "
        f"log-likelihood, by {folded.lost:.2f} nats at x = 1.",
    )
    return figure


def _posterior_and_best(ax: Axes, folded: Fold) -> None:
    """Draw both at x = 1."""
    joint = log_likelihood(1.0) + log_normal(Z, 0.0, 1.0)
    plotting.density(Z, joint - folded.exact[30], ax, plotting.EXACT)
    gaussian = folded.gaussians.log_prob(Z)[folded.best[30]].exp()
    ax.plot(Z, gaussian, "--", color=plotting.MODEL)
    top = float(gaussian.max())
    ax.text(-0.8, 0.85 * top, "exact", color=plotting.EXACT)
    ax.text(-0.8, 0.65 * top, "best Gaussian", color=plotting.MODEL)
    ax.set(xlim=(-2.5, 2.5), xlabel="$z$", title="for $x = 1$")
    ax.set_ylim(0, 1.15 * top)


# ---- a flow -----------------------------------------------------------------


def trained_flow(points: Tensor, generator: torch.Generator) -> Flow:
    """Return a flow of eight couplings, trained for a second."""
    torch.manual_seed(0)
    model = Flow((2,))
    run = train(
        model,
        flow_loss,
        points,
        steps=200,
        batch_size=256,
        lr=1e-2,
        generator=generator,
    )
    return last(run).ema


def bends() -> tuple[Figure, Flow]:
    """Draw circles of noise and where a flow takes them; return it too."""
    generator = torch.Generator().manual_seed(0)
    points = eight_modes().sample(20_000, generator=generator).float()
    model = trained_flow(points, generator)
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.6, 2.7))
    plotting.scatter(points[:1500], right, plotting.DATA)
    angle = torch.linspace(0, 2 * math.pi, 1500)
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    for radius in (0.5, 1.0, 1.5, 2.0, 2.5):
        with torch.no_grad():
            bent = model.inverse(radius * circle)
        left.plot(*(radius * circle).T, color=plotting.NOISE, linewidth=1)
        right.plot(*bent.T, color=plotting.MODEL, linewidth=0.8)
    for ax, title in ((left, "noise $z$"), (right, "$x$")):
        ax.set(aspect="equal", title=title)
        ax.set(xlim=(-2.8, 2.8), ylim=(-2.8, 2.8))
    plotting.describe(
        figure,
        "Left: five circles around one middle. Right: their images, bent "
        "towards the eight clusters of data and joined by threads between "
        "them.",
    )
    return figure, model


@torch.no_grad()
def masses(model: Flow) -> dict:
    """Return what a flow's density adds up to: right, and with mistakes."""
    line = torch.linspace(-3, 3, 181)
    cell = float(line[1] - line[0]) ** 2
    grid = torch.cartesian_prod(line, line)
    log_p, (_, log_det) = model.log_prob(grid), model(grid)
    found = {
        f"mass-{name}": float((log_p - lost * log_det).exp().sum()) * cell
        for name, lost in (("right", 0), ("without", 1), ("wrong", 2))
    }
    assert abs(found["mass-right"] - 1) < 0.01
    return found


# ---- common mistakes --------------------------------------------------------


def mistakes(folded: Fold) -> dict:
    """Return the damage of two mistakes with a VAE's bound."""
    return variance_for_std(folded) | light_pixels()


def variance_for_std(folded: Fold) -> dict:
    """Return how far above log p the "bound" is, at x = 1."""
    mean, std = folded.gaussians.loc[:, 0], folded.gaussians.scale[:, 0]
    zero, one = torch.zeros_like(mean), torch.ones_like(mean)
    charged = normal_kl(mean, std, zero, one)  # std in place of std^2
    q = folded.gaussians.log_prob(Z).exp() * DZ
    likelihood = (q * log_likelihood(1.0)).sum(1)
    above = float((likelihood - charged).max() - folded.exact[30])
    assert above > 0 > -folded.lost
    return {"bound-above": above}


def light_pixels() -> dict:
    """Return which of 16 latents a linear VAE uses; its optimum is known."""
    images = digits().train_images.flatten(1).double()
    spread = torch.linalg.eigvalsh(images.T.cov()).flip(0)
    noise = float(spread[16:].mean())
    return {
        "pca-used": int((spread[:16] > noise).sum()),
        "pca-left": int((spread[:16] > 64 * noise).sum()),
        "pca-largest": float(spread[0]) / noise,
        "always-paper": int((images.std(0) == 0).sum()),
    }
