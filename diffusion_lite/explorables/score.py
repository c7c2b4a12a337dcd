"""Chapter 9's live figure: one density, many ways back."""

from diffusion_lite.data import two_modes
from diffusion_lite.explorables.explorable import Explorable, line_mixture


class ScoreExplorable(Explorable):
    """Put noise back, or none; the paths change, and the density does not.

    The script is handed the mixture ``two_modes``, and computes everything
    else: the exact score, velocities, trajectories and straightness.
    """

    def __init__(self, *, figure: str = "") -> None:
        """Take the place of the still figure of that name, if there is one."""
        super().__init__(
            data={"mixture": line_mixture(two_modes())}, figure=figure
        )
