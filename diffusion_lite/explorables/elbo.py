"""Chapter 3's live figure: an error in the ELBO and in the simple loss."""

from diffusion_lite.data import two_modes
from diffusion_lite.explorables.explorable import Explorable, line_mixture


class ElboExplorable(Explorable):
    """Drag a network's error over t; watch the ELBO and the simple loss.

    The data's distribution is the mixture ``two_modes``, and that is all that
    the script is handed. It computes the floor at each t, the terms L_0 to
    L_T, the exact value that their sum cannot reach, and the simple loss,
    for any of three variances of the reverse steps.
    """

    def __init__(self, *, figure: str = "") -> None:
        """Take the place of the still figure of that name, if there is one."""
        super().__init__(
            data={"mixture": line_mixture(two_modes())}, figure=figure
        )
