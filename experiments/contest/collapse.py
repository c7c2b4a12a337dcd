"""A picture of mode collapse: a discriminator that stands still."""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from diffusion_lite import gan, plotting
from diffusion_lite.data import eight_modes
from diffusion_lite.metrics import mode_weights, modes_lost
from diffusion_lite.training import last

AFTER = (0, 100, 300, 600)
"""When the generator is shown: after so many steps of its own."""

FAR = 2.2


def alone(seed: int = 0) -> tuple[nn.Module, list[Tensor]]:
    """Return a discriminator, and samples of a generator that follows it.

    Both have played 300 steps on the ring. From then on the generator alone
    takes steps, with its own loss, and the discriminator stays as it is.
    The samples (1000, 2) are those of the same noise at each of AFTER.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    points = eight_modes().sample(20_000, generator=generator).float()
    size = {"steps": 300, "batch_size": 256, "lr": 2e-3, "gamma": 0.1}
    players = gan.point_generator(8), gan.point_discriminator()
    game = last(gan.train_gan(*players, points, **size, generator=generator))
    model, opponent = game.model, game.discriminator.requires_grad_(False)
    z = model.noise(1000, generator)
    adam = torch.optim.Adam(model.parameters(), lr=3e-3, betas=(0.5, 0.99))
    shown = []
    for step in range(max(AFTER) + 1):
        if step in AFTER:
            shown.append(model(z).detach())
        logit = opponent(model(model.noise(256, generator)))
        adam.zero_grad()
        gan.generator_loss(logit).backward()
        adam.step()
    return opponent, shown


def picture(opponent: nn.Module, shown: list[Tensor]) -> Figure:
    """Draw the samples over the discriminator's logit, at each of AFTER."""
    figure, axes = plt.subplots(1, len(AFTER), figsize=(5.6, 1.7))
    line = torch.linspace(-FAR, FAR, 80)
    grid = torch.meshgrid(line, line, indexing="xy")
    logit = opponent(torch.stack(grid, dim=2).reshape(-1, 2)).reshape(80, 80)
    for ax, x, step in zip(axes, shown, AFTER, strict=True):
        ax.imshow(
            logit.detach(),
            extent=(-FAR, FAR, -FAR, FAR),
            origin="lower",
            cmap="Greys",
            alpha=0.7,
        )
        plotting.scatter(x, ax, plotting.MODEL)
        plotting.bare(ax).set(xlim=(-FAR, FAR), ylim=(-FAR, FAR))
        ax.set_title(f"{step} steps")
    plotting.describe(
        figure,
        "Four panels of a thousand points over a landscape of logits. At "
        "first the points lie on a ring. They move to where the logit is "
        f"high. After {AFTER[-1]} steps alone {lost(shown[-1])} of 8 modes "
        "are lost: all points lie at the highest place.",
    )
    return figure


def lost(x: Tensor) -> int:
    """Return how many of the ring's eight modes the samples have lost."""
    ring = eight_modes()
    return modes_lost(mode_weights(x.double(), ring), ring.weights)


def numbers(opponent: nn.Module, shown: list[Tensor]) -> dict:
    """Return what the page says of the samples, first and last."""
    losses = [float(gan.generator_loss(opponent(x))) for x in shown]
    assert max(losses[1:]) < losses[0]  # "its loss falls"
    assert lost(shown[0]) == 0
    return {"collapse-after": lost(shown[-1])}
