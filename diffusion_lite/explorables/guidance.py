"""The live figure of guidance: where it says to go, and where samplers go."""

from diffusion_lite.data import two_moons
from diffusion_lite.explorables.explorable import Explorable, plane_mixture


class GuidanceExplorable(Explorable):
    """Ask for one of two moons, and choose how strongly and by what sampler.

    Samples are seen at every level of noise of their way, before the tilted
    distribution, whose score guidance follows there. The script is handed
    the two classes and the middle of the wanted one's arc; it computes
    everything else: the guided eps, 300 trajectories of any sampler, the
    tilted distribution on a grid and what sets the samples apart from it.
    """

    def __init__(self, *, figure: str = "") -> None:
        """Take the place of the still figure of that name, if there is one."""
        wanted, other = two_moons()
        first, *_, last = wanted.means  # the ends of half a circle
        data = {
            "wanted": plane_mixture(wanted),
            "other": plane_mixture(other),
            "center": ((first + last) / 2).tolist(),
        }
        super().__init__(data=data, figure=figure)
