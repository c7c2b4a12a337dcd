"""How much noise each step adds, and how much of the data is left.

A schedule has T+1 entries: entry 0 is clean data, so the book's index is
the array's index and ``schedule.alpha_bar[t]`` is the book's symbol.
"""

import math
import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from diffusion_lite.arguments import at, at_least, inside, whole

MAX_ALPHA_BAR_T = 1e-3
"""A schedule with a larger alpha_bar_T warns: its x_T is not noise."""

MIN_ALPHA_BAR_T = 1e-60
"""A schedule with a smaller one is refused: its root is 0 in float32."""


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """A forward process: how much noise each of its T steps adds.

    Made by ``from_betas`` or ``from_alpha_bar``, or given the table beta
    itself, (T+1,) with ``beta[0] = 0``. Every table has T+1 entries, in
    float64: entry 0 describes clean data, so ``alpha_bar[0] = 1``.

    Warns if alpha_bar_T is above MAX_ALPHA_BAR_T: then sampling that starts
    from N(0, I) starts in the wrong place.
    """

    beta: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", _beta_table(self.beta))
        if self.alpha_bar[-1] < MIN_ALPHA_BAR_T:
            raise ValueError(
                "beta must leave something of x_0 at T, at least alpha_bar_T "
                f"= {MIN_ALPHA_BAR_T:g}, got {self.alpha_bar[-1]:g}"
            )
        if self.alpha_bar[-1] > MAX_ALPHA_BAR_T:
            warnings.warn(
                f"{self!r}: x_T is not noise yet, alpha_bar_T is above "
                f"{MAX_ALPHA_BAR_T:g}. Use larger betas, or more of them.",
                stacklevel=3,
            )

    @classmethod
    def from_betas(cls, beta: Tensor) -> "Schedule":
        """Return the schedule of beta_1..beta_T, given as (T,)."""
        beta = _row("beta", beta)
        if len(beta) > 1 and beta[0] == 0:
            raise ValueError(
                "beta must be beta_1..beta_T, and its first entry is 0, as "
                "in a table that starts with beta_0: leave that entry out"
            )
        return cls(torch.cat([beta.new_zeros(1), beta]))

    @classmethod
    def from_alpha_bar(cls, alpha_bar: Tensor) -> "Schedule":
        """Return the schedule with this table of alpha_bar, (T+1,).

        beta_t = 1 - alpha_bar_t / alpha_bar_{t-1}.
        """
        alpha_bar = _row("alpha_bar", alpha_bar)
        if len(alpha_bar) < 2 or alpha_bar[0] != 1:
            raise ValueError(
                "alpha_bar must have T+1 entries and start with alpha_bar_0 "
                f"= 1, got {len(alpha_bar)}, the first {alpha_bar[0]:g}"
            )
        falls = (alpha_bar[1:] < alpha_bar[:-1]) & (alpha_bar[1:] > 0)
        if not falls.all():
            t = int((~falls).nonzero()[0, 0]) + 1
            raise ValueError(
                "alpha_bar must fall at every step and stay above 0, got "
                f"{alpha_bar[t - 1]:g} and then {alpha_bar[t]:g} at t = {t}"
            )
        return cls.from_betas(1 - alpha_bar[1:] / alpha_bar[:-1])

    def coefficients(
        self, t: int | Tensor, *, like: Tensor, lowest: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Return a and s of x_t = a x_0 + s eps, shaped to multiply ``like``.

        a = sqrt(alpha_bar_t), s = sqrt(1 - alpha_bar_t), each (B, 1, ..., 1)
        with like's dtype and device, or (1, 1, ..., 1) for a single t.
        Source: Ho et al. 2020, eq. 4.
        """
        a, s = self.alpha_bar.sqrt(), (1 - self.alpha_bar).sqrt()
        return at(a, t, like, lowest), at(s, t, like, lowest)

    @property
    def T(self) -> int:
        """The number of steps."""
        return len(self.beta) - 1

    @cached_property
    def alpha(self) -> Tensor:
        """The share of variance that step t keeps: 1 - beta_t. (T+1,)."""
        return 1 - self.beta

    @cached_property
    def alpha_bar(self) -> Tensor:
        """What is left of x_0's variance in x_t, as a factor. (T+1,).

        alpha_bar_t = alpha_1 alpha_2 ... alpha_t, and alpha_bar_0 = 1.
        Book: eq-alpha-bar. Source: Ho et al. 2020, above eq. 4.
        """
        return self.alpha.cumprod(0)

    @cached_property
    def snr(self) -> Tensor:
        """The signal-to-noise ratio; infinite at t = 0. (T+1,).

        snr_t = alpha_bar_t / (1 - alpha_bar_t).
        Book: eq-snr. Source: Kingma et al. 2021, eq. 2.
        """
        return self.alpha_bar / (1 - self.alpha_bar)

    @property
    def prior_bits(self) -> float:
        """The ELBO's prior term, in bits per dimension.

        L_T / (D ln 2), with L_T = E KL(q(x_T | x_0) || N(0, I)), which is
        -log2(1 - alpha_bar_T) / 2 for data with mean 0 and variance 1.
        Book: eq-prior-bits. Source: Ho et al. 2020, eq. 5, first term.
        """
        return float(-torch.log1p(-self.alpha_bar[-1]) / (2 * math.log(2)))

    def __repr__(self) -> str:
        """Say how much of the data is left at T."""
        return (
            f"Schedule(T={self.T}, alpha_bar_T={self.alpha_bar[-1]:.2g}, "
            f"snr_T={self.snr[-1]:.2g}, "
            f"prior={self.prior_bits:.2g} bits/dim)"
        )


def _row(name: str, x: Tensor) -> Tensor:
    """Return x in float64 on the CPU, if it is one row of numbers."""
    try:
        row = torch.as_tensor(x, dtype=torch.float64, device="cpu").detach()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be numbers, got {x!r}") from None
    if row.ndim != 1 or len(row) == 0:
        raise ValueError(
            f"{name} must be one row of numbers, got shape {tuple(row.shape)}"
        )
    return row


def _beta_table(beta: Tensor) -> Tensor:
    """Return beta in float64, if it is a table (T+1,) as Schedule's."""
    beta = _row("beta", beta)
    if len(beta) < 2 or beta[0] != 0:
        raise ValueError(
            "beta must have T+1 entries and start with beta_0 = 0, got "
            f"{len(beta)}, the first {beta[0]:g}; for beta_1..beta_T there "
            "is Schedule.from_betas"
        )
    inside = (1 - beta < 1) & (beta < 1)  # 1 - 1e-20 is 1: no step at all
    if not inside[1:].all():
        t = int((~inside[1:]).nonzero()[0, 0]) + 1
        raise ValueError(
            f"beta must lie strictly between 0 and 1, got beta_{t} = "
            f"{beta[t]:g}"
        )
    return beta.clone()


def linear_schedule(
    T: int = 1000, beta_1: float = 1e-4, beta_T: float = 0.02
) -> Schedule:
    """Return the DDPM paper's schedule: beta rises on a straight line.

    beta_1 and beta_T are those of the paper's thousand steps. Any other T
    follows the same curve of alpha_bar in T steps, so alpha_bar_T, the
    total noise, is the same for every T:
    beta_t = 1 - alpha_bar(1000 t / T) / alpha_bar(1000 (t-1) / T), with
    log alpha_bar joined by straight lines between the thousand steps.
    Book: eq-linear-schedule, eq-respaced-beta. Source: Ho et al. 2020,
    section 4; Nichol and Dhariwal 2021, eq. 19.
    """
    (T,) = whole(1, T=T)
    beta_1, beta_T = inside(0, 1, beta_1=beta_1, beta_T=beta_T)
    beta = torch.linspace(
        beta_1, beta_T, 1000, dtype=torch.float64, device="cpu"
    )
    log_alpha_bar = torch.cat([beta.new_zeros(1), (-beta).log1p().cumsum(0)])
    place = np.arange(T + 1) * 1000 / T
    steps = np.interp(place, range(1001), log_alpha_bar)
    return Schedule.from_betas(-torch.from_numpy(steps).diff().expm1())


def cosine_schedule(
    T: int = 1000, s: float = 0.008, beta_max: float = 0.999
) -> Schedule:
    """Return the schedule whose alpha_bar falls like a squared cosine.

    alpha_bar_t = f(t) / f(0), f(t) = cos((t/T + s) / (1 + s) pi/2)^2, but
    no beta is larger than beta_max.
    Book: eq-cosine-schedule. Source: Nichol and Dhariwal 2021, eq. 17.
    """
    (T,), (beta_max,) = whole(1, T=T), inside(0, 1, beta_max=beta_max)
    (s,) = at_least(0, s=s)
    u = torch.arange(T + 1, dtype=torch.float64, device="cpu") / T
    f = ((u + s) / (1 + s) * math.pi / 2).cos() ** 2
    return Schedule.from_betas((1 - f[1:] / f[:-1]).clamp(max=beta_max))
