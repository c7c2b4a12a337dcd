"""The same process with infinitely many steps: SDE, ODE and velocity.

Time t runs from 0, data, to 1, noise: it is the book's t / T. A field is a
function of (x, t), x (B, ...) and t a number, such as a score. Dynamics are a
function of (x, t) too, and return the drift (B, ...) and the diffusion, a
number, of dx = drift dt + diffusion dw.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from diffusion_lite.arguments import (
    at_least,
    batch,
    inside,
    normal,
    random_integers,
    same_shape,
)
from diffusion_lite.mixtures import GaussianMixture

Curve = Callable[[Tensor], Tensor]
Field = Callable[[Tensor, float], Tensor]
Dynamics = Callable[[Tensor, float], tuple[Tensor, float]]
Network = Callable[[Tensor, Tensor], Tensor]
STEPS = 1000
"""A network is asked at whole steps: at time t, at step 1000 t."""


@dataclass(frozen=True)
class Path:
    """x_t = a x_0 + s eps, told by the curves a(t) and s(t)^2.

    Each is a function of t in float64 that torch can differentiate.
    """

    a: Curve
    variance: Curve

    def at(self, t: float | Tensor) -> tuple[Tensor, Tensor]:
        """Return a and s at t, in t's shape.

        Book: eq-path.
        """
        t = _time(t)
        return self.a(t), self.variance(t).sqrt()

    def log_snr(self, t: float | Tensor) -> Tensor:
        """Return log(a^2 / s^2) at t: it falls from infinity.

        Book: eq-levels. Source: Kingma et al. 2021, eq. 2.
        """
        a, s = self.at(t)
        return 2 * (a / s).log()

    def time(self, log_snr: float) -> float:
        """Return the t at which the path has this log SNR, by bisection."""
        (log_snr,) = inside(-math.inf, math.inf, log_snr=log_snr)
        if log_snr < (least := float(self.log_snr(1.0))):
            raise ValueError(
                f"log_snr must be at least {least:.4g}, where this path "
                f"ends, got {log_snr:.4g}"
            )
        low, high = 0.0, 1.0
        for _ in range(60):
            t = (low + high) / 2
            low, high = (t, high) if self.log_snr(t) > log_snr else (low, t)
        return high

    def rates(self, t: float | Tensor) -> tuple[Tensor, Tensor]:
        """Return f and g of dx = f x dt + g dw, whose x_t is the path's.

        f = a' / a, g^2 = (s^2)' - 2 f s^2.
        Book: eq-drift-diffusion.
        Source: Karras et al. 2022, appendix B.2.
        """
        t = _time(t)
        if bool((self.a(t) < 1e-12).any()):  # a cosine's end is 6e-17
            raise ValueError(
                f"no x_0 is left at t = {t.tolist()}: start below"
            )
        f = _slope(self.a, t) / self.a(t)
        return f, (_slope(self.variance, t) - 2 * f * self.variance(t)).sqrt()

    def forward(self, x: Tensor, t: float) -> tuple[Tensor, float]:
        """Return f x and g: the dynamics that turn data into noise.

        Book: eq-sde. Source: Song et al. 2021, eq. 5.
        """
        f, g = self.rates(t)
        return float(f) * x, float(g)

    def velocity(self, x_0: Tensor, t: float | Tensor, eps: Tensor) -> Tensor:
        """Return how fast x_t moves while x_0 and eps stay; t above 0.

        v = a' x_0 + s' eps.
        Book: eq-velocity. Source: Lipman et al. 2023, theorem 3.
        """
        same_shape("x_0", x_0, "eps", eps)
        _, _, a_slope, s_slope = self._factors(t, x_0)
        return a_slope * x_0 + s_slope * eps

    def ends(
        self, x_t: Tensor, t: float | Tensor, v: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the x_0 and the eps of x_t and its velocity; t above 0.

        x_0 = (s' x_t - s v) / d, eps = (a v - a' x_t) / d, d = a s' - a' s.
        Book: eq-ends.
        """
        same_shape("x_t", x_t, "v", v)
        a, s, a_slope, s_slope = self._factors(t, x_t)
        d = a * s_slope - a_slope * s
        return (s_slope * x_t - s * v) / d, (a * v - a_slope * x_t) / d

    def marginal(self, mixture: GaussianMixture, t: float) -> GaussianMixture:
        """Return the distribution of x_t, exactly: a mixture again."""
        a, s = self.at(t)
        spread = s**2 * torch.eye(mixture.dim, dtype=s.dtype, device="cpu")
        return GaussianMixture(
            mixture.weights,
            a * mixture.means,
            a**2 * mixture.covariances + spread,
        )

    def score(self, mixture: GaussianMixture) -> Field:
        """Return the exact score of x_t."""
        return lambda x, t: self.marginal(mixture, t).score(x).to(x)

    def _factors(self, t: float | Tensor, x: Tensor) -> list[Tensor]:
        """Return a, s and their derivatives, shaped to multiply x."""
        t = _time(t)
        if bool((t == 0).any()):
            raise ValueError("t must be above 0: there is no noise at 0")
        (a, s), slope = self.at(t), _slope(self.variance, t)
        factors = a, s, _slope(self.a, t), slope / (2 * s)
        return [y.to(x).reshape(-1, *[1] * (x.ndim - 1)) for y in factors]


def linear_path(beta_0: float = 0.1, beta_1: float = 20.0) -> Path:
    """Return the limit of the linear schedule: variance preserving.

    a^2 = exp(-B), s^2 = 1 - exp(-B), with B the integral of beta, which
    rises on a straight line: 1,000 times the DDPM paper's beta_1 and beta_T.
    Source: Song et al. 2021, eq. 33.
    """
    total = _total(*at_least(0, beta_0=beta_0, beta_1=beta_1))
    return Path(
        lambda t: (-total(t) / 2).exp(), lambda t: -(-total(t)).expm1()
    )


def sub_vp_path(beta_0: float = 0.1, beta_1: float = 20.0) -> Path:
    """Return linear_path with less noise: s = 1 - a^2.

    Source: Song et al. 2021, eq. 29.
    """
    path = linear_path(beta_0, beta_1)
    return Path(path.a, lambda t: path.variance(t).square())


def cosine_path(offset: float = 0.008) -> Path:
    """Return the limit of the cosine schedule: variance preserving."""
    (c,) = at_least(0, offset=offset)
    first = math.cos(c / (1 + c) * math.pi / 2)

    def a(t: Tensor) -> Tensor:
        return ((t + c) / (1 + c) * math.pi / 2).cos() / first

    return Path(a, lambda t: 1 - a(t) ** 2)


def exploding_path(sigma_max: float = 80.0) -> Path:
    """Return a = 1, s = sigma_max t: the variance explodes.

    Source: Karras et al. 2022, table 1, column EDM.
    """
    (sigma_max,) = inside(0, math.inf, sigma_max=sigma_max)
    return Path(lambda t: 1 + 0 * t, lambda t: (sigma_max * t) ** 2)


def straight_path() -> Path:
    """Return a = 1 - t, s = t: from data to noise on a straight line.

    Source: Liu et al. 2023, eq. 1; Lipman et al. 2023, eq. 20, in their time
    1 - t and with sigma_min = 0.
    """
    return Path(lambda t: 1 - t, lambda t: t**2)


LEVELS: dict[str, tuple[Curve, Curve]] = {
    "log_snr": (lambda x: x, lambda x: x),
    "alpha_bar": (torch.logit, torch.sigmoid),
    "sigma": (lambda x: -2 * x.log(), lambda x: (-x / 2).exp()),
    "straight": (lambda x: -2 * x.logit(), lambda x: (-x / 2).sigmoid()),
}
"""How each name of a noise level becomes a log SNR, and the way back."""


def convert(level: float, source: str, target: str) -> float:
    """Return a noise level under another of the names in LEVELS.

    log SNR = logit(alpha_bar) = -2 log(sigma) = -2 logit(t), where sigma is
    EDM's, s / a, and t the time of straight_path.
    Book: eq-levels.
    """
    for name in (source, target):
        if name not in LEVELS:
            raise ValueError(f"a level is one of {[*LEVELS]}, got {name!r}")
    (level,) = inside(-math.inf, math.inf, level=level)
    log_snr = LEVELS[source][0](torch.tensor(level, dtype=torch.float64))
    if not bool(log_snr.isfinite()):
        raise ValueError(f"{source} = {level:g} is no mix of data and noise")
    return float(LEVELS[target][1](log_snr))


def reverse(score: Field, path: Path, churn: float = 1.0) -> Dynamics:
    """Return f x - (1 + churn^2) g^2 score / 2, and churn g.

    With churn 1 it is the reverse SDE, with 0 the probability-flow ODE.
    Book: eq-reverse-sde, eq-probability-flow, eq-churn, eq-fokker-planck.
    Source: Anderson 1982; Song et al. 2021, eq. 6 and 13; for the family
    Karras et al. 2022, eq. 6.
    """
    (churn,) = at_least(0, churn=churn)

    def dynamics(x: Tensor, t: float) -> tuple[Tensor, float]:
        forward, g = path.forward(x, t)
        drift = forward - (1 + churn**2) * g**2 * score(x, t) / 2
        return drift, churn * g

    return dynamics


def flow(velocity: Field) -> Dynamics:
    """Return the dynamics of a velocity, without noise."""
    return lambda x, t: (velocity(x, t), 0.0)


def euler_maruyama(
    dynamics: Dynamics,
    x: Tensor,
    times: Sequence[float] | Tensor,
    *,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Follow dx = drift dt + diffusion dw; yield x at each of the times.

    A step is x + drift dt + diffusion sqrt(|dt|) z; on the way back the
    times fall, and dt is below 0.
    Book: eq-euler-maruyama.

    Raises:
        FloatingPointError: x is not finite any more.
    """
    steps = list(pairwise(_time(times).tolist()))
    ways = {(b > c) - (b < c) for b, c in steps}
    if ways not in ({1}, {-1}):
        raise ValueError(f"times must rise, or fall, all along: {times}")
    yield batch("x", x)
    for t, next_t in steps:
        drift, g = dynamics(x, t)
        z = normal(x.shape, generator, x.dtype).to(x)
        x = x + drift * (next_t - t) + g * abs(next_t - t) ** 0.5 * z
        if not bool(x.isfinite().all()):
            raise FloatingPointError(f"x is not finite after t = {t:g}")
        yield x


def score_loss(
    score_model: Callable[[Tensor], Tensor], x: Tensor, target: Tensor
) -> Tensor:
    """Return |s(x) - target|^2 / 2 of each row: (B,).

    Explicit score matching: the target is the score of x. Denoising: x is
    x_0 + sigma eps, and the target -eps / sigma, the score given x_0.
    Book: eq-explicit, eq-denoising.
    Source: Hyvarinen 2005, section 2; Vincent 2011, section 4.2.
    """
    same_shape("x", x, "target", target)
    return (score_model(x) - target).square().sum(1) / 2


def sliced_loss(
    score_model: Callable[[Tensor], Tensor], x: Tensor, r: Tensor
) -> Tensor:
    """Return |s|^2 / 2 + r . grad(r . s) of each row: (B,).

    Over random r with E r r^T = I its mean is |s|^2 / 2 + div s, which needs
    no score of x.
    Book: eq-implicit, eq-sliced.
    Source: Hyvarinen 2005, theorem 1; Song and Ermon 2019, eq. 3.
    """
    same_shape("x", x, "r", r)
    x = x.detach().requires_grad_()
    s = score_model(x)
    (slope,) = torch.autograd.grad((s * r).sum(), x, create_graph=True)
    return s.square().sum(1) / 2 + (slope * r).sum(1)


def flow_matching_loss(
    net: Network,
    x_0: Tensor,
    eps: Tensor | None = None,
    *,
    path: Path,
    generator: torch.Generator,
) -> Tensor:
    """Return the mean of (net(x_t, step) - v)^2 at random steps of 1..STEPS.

    Without eps it is new noise; an eps that is given is coupled with x_0.
    Book: eq-flow-matching. Source: Lipman et al. 2023, eq. 9.
    """
    step = random_integers(1, STEPS, len(x_0), generator)
    if eps is None:
        eps = normal(x_0.shape, generator).to(x_0)
    a, s, _, _ = path._factors(step / STEPS, x_0)
    v = path.velocity(x_0, step / STEPS, eps)
    return (net(a * x_0 + s * eps, step.to(x_0.device)) - v).square().mean()


def learned(net: Network) -> Field:
    """Return what a network says at the step nearest to t, from 1 on."""

    @torch.no_grad()
    def field(x: Tensor, t: float) -> Tensor:
        nearest = max(1, round(STEPS * t))  # it was never asked at 0
        step = torch.full((len(x),), nearest, device=x.device)
        return net(x, step)

    return field


def straightness(states: Tensor, times: Sequence[float] | Tensor) -> float:
    """Return how far points are from straight lines at constant velocity.

    The mean over rows and the integral over time of |chord - velocity|^2,
    where the chord is the velocity of the straight line from end to end.
    Book: eq-straightness. Source: Liu et al. 2023, section 2.2.
    Shapes: states (n, B, D), at the n times.
    """
    t = _time(times)
    if batch("states", states).ndim != 3 or not 2 <= len(t) == len(states):
        raise ValueError(
            "states must be (n, B, D), at the n times, n at least 2; got "
            f"{tuple(states.shape)} and {len(t)} times"
        )
    dt = t.diff()[:, None, None]
    chord = (states[-1] - states[0]) / (t[-1] - t[0])
    bend = chord - states.diff(dim=0) / dt
    return float((bend.square() * dt.abs()).sum((0, 2)).mean())


def preconditioning(
    sigma: float, sigma_data: float
) -> tuple[float, float, float]:
    """Return c_skip, c_out, c_in of x_0 = c_skip x + c_out F(c_in x).

    x = x_0 + sigma eps. F's input and target have variance 1, and c_skip
    makes c_out, the factor of F's error, smallest.
    Book: eq-c-out, eq-preconditioning.
    Source: Karras et al. 2022, table 1, appendix B.6.
    """
    sigma, sigma_data = inside(0, math.inf, sigma=sigma, sigma_data=sigma_data)
    total = sigma**2 + sigma_data**2
    root = total**0.5
    return sigma_data**2 / total, sigma * sigma_data / root, 1 / root


def _total(beta_0: float, beta_1: float) -> Curve:
    """Return the integral of beta from 0 to t."""
    return lambda t: beta_0 * t + (beta_1 - beta_0) * t**2 / 2


def _time(t: float | Sequence[float] | Tensor) -> Tensor:
    """Return t in float64 on the CPU, if it lies in 0..1."""
    time = torch.as_tensor(t, dtype=torch.float64, device="cpu").detach()
    if not bool(((time >= 0) & (time <= 1)).all()):
        raise ValueError(f"t must lie in 0..1, got {t}")
    return time


def _slope(curve: Curve, t: Tensor) -> Tensor:
    """Return a curve's derivative at each t."""
    with torch.enable_grad():
        t = t.clone().requires_grad_()
        (slope,) = torch.autograd.grad(curve(t).sum(), t)
    return slope
