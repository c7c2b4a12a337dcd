"""Chapter 10's live figure: two solvers race from the same noise."""

from collections.abc import Callable

from diffusion_lite.data import eight_modes
from diffusion_lite.explorables.explorable import Explorable, plane_mixture
from diffusion_lite.schedules import Schedule, linear_schedule
from diffusion_lite.solvers import edm_times, log_snr_times, uniform_times

MOST = 64
"""The most passes that a lane may have."""

GRIDS: dict[str, Callable[[Schedule, int], list[int]]] = {
    "uniform": uniform_times,
    "snr": log_snr_times,
    "edm": edm_times,
}


class FastExplorable(Explorable):
    """Choose solver, grid and passes for two lanes; see who comes nearer.

    Both lanes start from the same noise, on the ring with modes twice as
    wide, so that the error of 160 points falls smoothly. The script is handed
    the mixture and the grids, for 1 to 64 steps; it computes everything else:
    the exact eps, the trajectories, the exact flow and the errors.
    """

    def __init__(self, *, figure: str = "") -> None:
        """Take the place of the still figure of that name, if there is one."""
        schedule = linear_schedule(1000)
        grids = {
            name: [times(schedule, n) for n in range(1, MOST + 1)]
            for name, times in GRIDS.items()
        }
        data = {"mixture": plane_mixture(eight_modes(0.2)), "grids": grids}
        super().__init__(data=data, figure=figure)
