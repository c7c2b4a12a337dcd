"""Chapter 7's live figure: one cloud, carried to the data by each family."""

from collections.abc import Sequence
from typing import Any

import torch

from diffusion_lite.data import eight_modes
from diffusion_lite.explorables.explorable import (
    Explorable,
    halves,
    plane_mixture,
)

FAMILIES = {"diffusion": (2,), "flow": (2,), "vae": (1, 2), "gan": (1, 2)}
"""The families that the script knows, and the sizes of their latents."""


class FamiliesExplorable(Explorable):
    """Carry latents to the data by each family; do neighbours stay together?

    The script is handed the mixture, and where each point of the cloud is in
    each frame; it marks points, and measures where they end.
    """

    def __init__(
        self, *, paths: Sequence[dict[str, Any]], figure: str = ""
    ) -> None:
        """Take the place of the still figure of that name, if there is one.

        Each of ``paths`` is a family's run: ``family``, ``latent`` (how many
        numbers), ``passes`` (of the network, for a sample) and ``frames``,
        lists of coordinates in thousandths, x and y of each point in turn.
        Of a latent of one number, the first frame has one for each point.

        Raises:
            ValueError: a family, or one of its latents, is missing.
        """
        super().__init__(data=_sent(paths), figure=figure)


def _sent(paths: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the runs as the script reads them: all frames in one row."""
    wanted = [(name, n) for name, sizes in FAMILIES.items() for n in sizes]
    found = [(run["family"], run["latent"]) for run in paths]
    if found != wanted:
        raise ValueError(f"paths must be the runs {wanted}, got {found}")
    frames = [frame for run in paths for frame in run["frames"]]
    flat = torch.tensor([x for frame in frames for x in frame])
    kept = ("family", "latent", "passes")
    return {
        "mixture": plane_mixture(eight_modes()),
        "points": halves(flat / 1000),
        "runs": [
            {key: run[key] for key in kept} | {"frames": len(run["frames"])}
            for run in paths
        ],
        "many": len(paths[0]["frames"][0]) // 2,
    }
