"""Chapter 2's live figure: the step before, with x_0 known and without."""

from diffusion_lite.data import two_modes
from diffusion_lite.explorables.explorable import Explorable, line_mixture


class PosteriorExplorable(Explorable):
    """Drag x_0 and x_t, or a mixture's modes; see what the step before was.

    With x_0 known: prior, likelihood and posterior of x_{t-1}. With x_0
    hidden: the exact reverse density, the Gaussian of its mean and variance,
    and the KL between them. The script is handed the mixture ``two_modes``, at
    which its modes start, and computes everything else.
    """

    def __init__(self, *, figure: str = "") -> None:
        """Take the place of the still figure of that name, if there is one."""
        super().__init__(
            data={"mixture": line_mixture(two_modes())}, figure=figure
        )
