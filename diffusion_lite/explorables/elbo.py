"""Chapter 3's live figure: what an error costs, in two currencies."""

from diffusion_lite.data import two_modes
from diffusion_lite.explorables.explorable import Explorable, line_law


class ElboExplorable(Explorable):
    """Drag a network's error over t; watch the ELBO and the simple loss.

    The data's law is ``two_modes``. The script is handed that law only. It
    computes the floor at each t, the terms L_0 to L_T, the exact value that
    their sum cannot reach, and the simple loss, for any of three variances
    of the reverse steps.
    """

    def __init__(self, *, figure: str = "") -> None:
        """Take the place of the still figure of that name, if there is one."""
        super().__init__(data={"law": line_law(two_modes())}, figure=figure)
