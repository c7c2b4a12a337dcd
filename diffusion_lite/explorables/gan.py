"""Chapter 6's live figure: the game of two numbers beside a bowl."""

from diffusion_lite.explorables.explorable import Explorable


class GanExplorable(Explorable):
    """Drag the start of a game of two numbers; see where its steps go.

    Beside it, from the same start, the descent of a diffusion loss. The
    script is handed nothing, and computes everything (see ``dirac_gan``).
    """

    def __init__(self, *, figure: str = "") -> None:
        """Take the place of the still figure of that name, if there is one."""
        super().__init__(figure=figure)
