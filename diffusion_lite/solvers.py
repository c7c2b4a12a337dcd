"""Samplers that need few passes: DDIM, and solvers of the same ODE.

``times`` are the steps of a schedule that are visited: T first, then ever
smaller ones, 0 last. Between them a solver follows dy = eps dsigma, where
y = x_t / a_t and sigma_t = s_t / a_t, with a_t = sqrt(alpha_bar_t) and
s_t = sqrt(1 - alpha_bar_t). Each sampler yields x at every one of the times.

x_T (B, ...) is a sample of N(0, I), on the model's device. All raise a
ValueError for times that do not fall from T to 0, and where alpha_bar_T is so
small that x's dtype holds no x_0 there; and a FloatingPointError where the
model's answer is not finite. What half precision rounds off eps_hat is
multiplied by sigma_T: with ``linear_schedule``, whose sigma_T is 157, samples
are off by a thousandth in float16 and a hundredth in bfloat16. The schedule
must be the one that the model was trained with: of most networks nobody can
tell.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from diffusion_lite.arguments import (
    at_least,
    batch,
    inside,
    normal,
    one_step,
    same_shape,
    whole,
)
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.parameterization import x_0_from_eps
from diffusion_lite.schedules import Schedule
from diffusion_lite.types import Denoiser


class Counted:
    """A denoiser that counts how often it is asked, in ``passes``."""

    def __init__(self, eps_model: Denoiser) -> None:
        self.eps_model = eps_model
        self.passes = 0

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Ask the denoiser: one pass, however many examples."""
        self.passes += 1
        return self.eps_model(x_t, t)


def uniform_times(schedule: Schedule, n: int) -> list[int]:
    """Return n + 1 steps from T to 0, equally far from one another."""
    (n,) = whole(1, 1, schedule.T, n=n)
    return [round(schedule.T * (n - i) / n) for i in range(n + 1)]


def log_snr_times(schedule: Schedule, n: int) -> list[int]:
    """Return n steps from T to 1, equally far in log SNR, and 0.

    Source: Lu et al. 2022 (DPM-Solver), section 3.
    """
    return _nearest_steps(schedule.snr[1:].log(), n)


def edm_times(schedule: Schedule, n: int, rho: float = 7.0) -> list[int]:
    """Return n steps from T to 1, equally far in sigma^(1/rho), and 0.

    Book: eq-edm-times. Source: Karras et al. 2022, eq. 5.
    """
    (rho,) = inside(0, math.inf, rho=rho)
    log_sigma = -schedule.snr[1:].log() / 2
    # The same up to a factor and a shift, which leave the grid as it is.
    power = rho * ((log_sigma - log_sigma[-1]) / rho).expm1()
    return _nearest_steps(power, n)


def ddim_step(
    x_t: Tensor,
    t: int,
    s: int,
    eps_hat: Tensor,
    z: Tensor,
    schedule: Schedule,
    eta: float = 0.0,
) -> Tensor:
    """Step from x_t to x_s, s below t, so that q(x_s | x_0) is kept.

    x_s = a_s x_0_hat + sqrt(1 - alpha_bar_s - noise^2) eps_hat + noise z,
    with x_0_hat that of eps_hat, and noise = ddim_noise.
    Book: eq-ddim-step. Source: Song et al. 2021 (DDIM), eq. 12.
    """
    same_shape("x_t", x_t, "z", z)
    noise = ddim_noise(t, s, schedule, eta)
    a_s = float(schedule.alpha_bar[s])
    x_0_hat = x_0_from_eps(x_t, t, eps_hat, schedule)
    rest = max(1 - a_s - noise**2, 0.0)
    return a_s**0.5 * x_0_hat + rest**0.5 * eps_hat + noise * z


def ddim_noise(t: int, s: int, schedule: Schedule, eta: float) -> float:
    """Return eta times the standard deviation of q(x_s | x_t, x_0).

    eta sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t))
    sqrt(1 - alpha_bar_t / alpha_bar_s).
    Book: eq-ddim-noise. Source: Song et al. 2021 (DDIM), eq. 16.
    """
    (eta,) = at_least(0, eta=eta)
    if eta > 1:
        raise ValueError(f"eta must lie in 0..1, got {eta:g}")
    t, s = one_step(t, 1, schedule.T), one_step(s, 0, schedule.T)
    if not s < t:
        raise ValueError(f"s must be below t, got t = {t} and s = {s}")
    a_t, a_s = float(schedule.alpha_bar[t]), float(schedule.alpha_bar[s])
    variance = (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)
    return eta * variance**0.5


def ddim_sample(
    eps_model: Denoiser,
    x_T: Tensor,
    schedule: Schedule,
    times: Sequence[int],
    *,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Sample by steps of DDIM: with eta 0 Euler's method, with 1 DDPM's.

    A generator is needed if eta is above 0. One pass a step.
    Source: Song et al. 2021 (DDIM), section 4.
    """
    steps = _visited(x_T, schedule, times)
    ddim_noise(1, 0, schedule, eta)  # refuses an eta out of range
    if eta > 0 and generator is None:
        raise ValueError(f"eta = {eta:g} adds noise: give a generator")
    return _ddim_states(eps_model, x_T, schedule, steps, eta, generator)


def _ddim_states(
    eps_model: Denoiser,
    x: Tensor,
    schedule: Schedule,
    steps: list[tuple[int, int]],
    eta: float,
    generator: torch.Generator | None,
) -> Iterator[Tensor]:
    """Take the steps of ddim_sample; yield each state."""
    yield x
    z = torch.zeros_like(x)
    for t, s in steps:
        if generator is not None:
            z = normal(x.shape, generator, x.dtype).to(x)
        eps_hat = _answer(eps_model, x, t)
        x = ddim_step(x, t, s, eps_hat, z, schedule, eta)
        yield x


def euler_step(
    x_t: Tensor, t: int, s: int, slope: Tensor, schedule: Schedule
) -> Tensor:
    """Follow dy = slope dsigma from step t to step s, in either direction.

    x_s / a_s = x_t / a_t + (sigma_s - sigma_t) slope: with the slope eps_hat
    this is DDIM's step without noise.
    Book: eq-ddim-ode. Source: Song et al. 2021 (DDIM), eq. 13.
    """
    same_shape("x_t", x_t, "slope", slope)
    (a_t, sigma_t), (a_s, sigma_s) = _level(t, schedule), _level(s, schedule)
    return a_s / a_t * x_t + a_s * (sigma_s - sigma_t) * slope


def heun_sample(
    eps_model: Denoiser,
    x_T: Tensor,
    schedule: Schedule,
    times: Sequence[int],
    *,
    churn: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Sample by Heun's method: the mean of the slopes at both ends.

    Two passes a step, but one in the last, which ends where there is no
    noise: 2 n - 1 in n steps. With churn (EDM's S_churn) above 0, for which a
    generator is needed, each step begins with more noise, as ``churned``
    adds it.
    Book: eq-heun. Source: Karras et al. 2022, algorithms 1 and 2.
    """
    steps = _visited(x_T, schedule, times)
    (churn,) = at_least(0, churn=churn)
    if churn > 0 and generator is None:
        raise ValueError(f"churn = {churn:g} adds noise: give a generator")
    gamma = min(churn / len(steps), 2**0.5 - 1)

    def step(x: Tensor, t: int, s: int) -> Tensor:
        if generator is not None and gamma > 0:
            x, t = churned(x, t, gamma, schedule, generator)
        slope = _answer(eps_model, x, t)
        if s > 0:
            there = euler_step(x, t, s, slope, schedule)
            slope = (slope + _answer(eps_model, there, s)) / 2
        return euler_step(x, t, s, slope, schedule)

    return _states(step, x_T, steps)


def churned(
    x_t: Tensor,
    t: int,
    gamma: float,
    schedule: Schedule,
    generator: torch.Generator,
) -> tuple[Tensor, int]:
    """Return x_t with more noise, and the step at which it has that much.

    It is the step from t to T whose sigma is nearest to (1 + gamma) sigma_t.
    Source: Karras et al. 2022, algorithm 2.
    """
    (gamma,) = at_least(0, gamma=gamma)
    a_t, sigma_t = _level(t, schedule)
    sigmas = schedule.snr[t:] ** -0.5
    raised = t + int((sigmas - (1 + gamma) * sigma_t).abs().argmin())
    a, sigma = _level(raised, schedule)
    z = normal(x_t.shape, generator, x_t.dtype).to(x_t)
    return a * (x_t / a_t + (sigma**2 - sigma_t**2) ** 0.5 * z), raised


def midpoint_sample(
    eps_model: Denoiser,
    x_T: Tensor,
    schedule: Schedule,
    times: Sequence[int],
) -> Iterator[Tensor]:
    """Sample by DPM-Solver-2: the slope of a point in between.

    It is asked at the step whose log SNR is nearest to the middle; the share
    r of the way at which that step lies corrects the slope:
    eps_t + (eps_mid - eps_t) / (2 r). Where no step lies between, r = 1, as in
    Heun's method. Two passes a step, one in the last.
    Source: Lu et al. 2022 (DPM-Solver), algorithm 1, where r = 1/2.
    """
    log_snr = schedule.snr.log()

    def step(x: Tensor, t: int, s: int) -> Tensor:
        slope = _answer(eps_model, x, t)
        if s > 0:
            way = (log_snr[s:t] - log_snr[t]) / (log_snr[s] - log_snr[t])
            nearest = int((way - 0.5).abs().argmin())
            r, middle = float(way[nearest]), s + nearest
            there = euler_step(x, t, middle, slope, schedule)
            change = _answer(eps_model, there, middle) - slope
            slope = slope + change / (2 * r)
        return euler_step(x, t, s, slope, schedule)

    return _states(step, x_T, _visited(x_T, schedule, times))


def adams_bashforth_sample(
    eps_model: Denoiser,
    x_T: Tensor,
    schedule: Schedule,
    times: Sequence[int],
    *,
    order: int = 2,
) -> Iterator[Tensor]:
    """Sample with the last answers: a polynomial in sigma through ``order``.

    One pass a step. Order 1 is DDIM without noise; the first steps have
    fewer answers, and so a lower order. The order is from 1 to 4.
    Book: eq-adams-bashforth.
    Source: Zhang and Chen 2023 (DEIS), where it is called rho-AB; with the
    weights of equal steps it is iPNDM.
    """
    (order,) = whole(1, 1, 4, order=order)
    sigmas: list[float] = []
    answers: list[Tensor] = []

    def step(x: Tensor, t: int, s: int) -> Tensor:
        sigmas.append(_level(t, schedule)[1])
        answers.append(_answer(eps_model, x, t))
        weights = step_weights(sigmas[-order:], _level(s, schedule)[1])
        del answers[:-order]
        slope = torch.zeros_like(x)
        for weight, eps_hat in zip(weights, answers, strict=True):
            slope = slope + weight * eps_hat
        return euler_step(x, t, s, slope, schedule)

    return _states(step, x_T, _visited(x_T, schedule, times))


def step_weights(sigmas: Sequence[float], target: float) -> list[float]:
    """Return the weights of the answers at these sigmas in a step's slope.

    The mean, from the last sigma to the target, of the polynomial through
    the answers: sum_k w_k u_k^j = 1 / (j + 1), j = 0, 1, ..., where
    u = (sigma - last) / (target - last).
    Book: eq-adams-bashforth.
    """
    if not sigmas or len({*sigmas, target}) <= len(sigmas):
        raise ValueError(
            "sigmas, at least one, and target must all differ, got "
            f"{[*sigmas]} and {target}"
        )
    u = (np.array(sigmas) - sigmas[-1]) / (target - sigmas[-1])
    powers = np.arange(len(u))
    weights = np.linalg.solve(u ** powers[:, None], 1 / (powers + 1))
    return [float(w) for w in weights]


def dpm_solver_sample(
    eps_model: Denoiser,
    x_T: Tensor,
    schedule: Schedule,
    times: Sequence[int],
) -> Iterator[Tensor]:
    """Sample by DPM-Solver++(2M): extrapolate x_0 along the log SNR.

    x_s = (s_s / s_t) x_t + (a_s - a_t s_s / s_t) D, where D leads on, by half
    a step in log SNR, the line through the last two x_0_hat. In the first
    step, and in the last, whose log SNR has no end, D is the last x_0_hat.
    One pass a step.
    Book: eq-dpm-solver. Source: Lu et al. 2023 (DPM-Solver++), algorithm 2.
    """
    log_snr = schedule.snr.log().tolist()
    before: list[tuple[int, Tensor]] = []

    def step(x: Tensor, t: int, s: int) -> Tensor:
        x_0_hat = x_0_from_eps(x, t, _answer(eps_model, x, t), schedule)
        lead = x_0_hat
        if before and s > 0:
            r, last_x_0 = before.pop()
            ratio = (log_snr[s] - log_snr[t]) / (log_snr[t] - log_snr[r])
            lead = x_0_hat + ratio / 2 * (x_0_hat - last_x_0)
        before.append((t, x_0_hat))
        (a_t, sigma_t), (a_s, sigma_s) = (_level(k, schedule) for k in (t, s))
        shrink = a_s * sigma_s / (a_t * sigma_t)
        return shrink * x + (a_s - a_t * shrink) * lead

    return _states(step, x_T, _visited(x_T, schedule, times))


def invert(
    eps_model: Denoiser,
    x_0: Tensor,
    schedule: Schedule,
    times: Sequence[int],
) -> Iterator[Tensor]:
    """Lead data up to noise: DDIM's steps in the other direction.

    ``times`` fall, as those of a sampler. A step of the sampler asks at the
    step it starts from, which is unknown here: the answer at the step before
    is taken instead (at step 1 for step 0), so the two undo one another only
    in the limit of many steps. Yields x_0, ..., x_T.
    Source: Song et al. 2021 (DDIM), section 4.3.
    """
    steps = _visited(x_0, schedule, times)

    def step(x: Tensor, s: int, t: int) -> Tensor:
        slope = _answer(eps_model, x, max(s, 1))
        return euler_step(x, s, t, slope, schedule)

    return _states(step, x_0, [(s, t) for t, s in reversed(steps)])


def exact_flow(
    mixture: GaussianMixture, x_T: Tensor, schedule: Schedule
) -> Tensor:
    """Return where the ODE leads each x_T (B, D), to about 1e-6.

    The solver has 1,000 steps, equally far in log SNR, and order 4.
    """
    log_snr = torch.linspace(
        25, float(schedule.snr[-1].log()), 1000, dtype=torch.float64
    )
    ends = torch.cat([log_snr.new_ones(1), log_snr.sigmoid()])
    fine = Schedule.from_alpha_bar(ends)
    run = adams_bashforth_sample(
        partial(mixture.optimal_eps, schedule=fine),
        x_T.double(),
        fine,
        uniform_times(fine, fine.T),
        order=4,
    )
    for x in run:
        last = x
    return last.to(x_T)


def _states(
    step: Callable[[Tensor, int, int], Tensor],
    x: Tensor,
    steps: list[tuple[int, int]],
) -> Iterator[Tensor]:
    """Take the steps; yield x before the first and after each."""
    yield x
    for start, end in steps:
        x = step(x, start, end)
        yield x


def _answer(eps_model: Denoiser, x_t: Tensor, t: int) -> Tensor:
    """Return the model's eps_hat at one t, if it is finite."""
    with torch.no_grad():
        eps_hat = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    same_shape("x_t", x_t, "eps_hat", eps_hat)
    if not bool(eps_hat.isfinite().all()):
        raise FloatingPointError(
            f"the model's eps_hat at t = {t} is not finite"
        )
    return eps_hat


def _level(t: int, schedule: Schedule) -> tuple[float, float]:
    """Return a_t and sigma_t = s_t / a_t of a step."""
    t = one_step(t, 0, schedule.T)
    alpha_bar = float(schedule.alpha_bar[t])
    return alpha_bar**0.5, (1 / alpha_bar - 1) ** 0.5


def _nearest_steps(levels: Tensor, n: int) -> list[int]:
    """Return n different steps from T, with levels equally apart, and 0.

    levels (T,) are those of the steps 1..T.
    """
    T = len(levels)
    (n,) = whole(1, 1, T, n=n)
    goals = torch.linspace(
        float(levels[-1]), float(levels[0]), n, dtype=levels.dtype
    )
    steps = (levels[:, None] - goals).abs().argmin(0) + 1
    order = torch.arange(n)  # steps + order must not rise, and start at T
    moved = (steps + order).flip(0).cummax(0).values.flip(0).clamp(max=T)
    return [*(moved - order).tolist(), 0]


def _visited(
    x: Tensor, schedule: Schedule, times: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the pairs (t, s) of steps, if x and the times are in order."""
    smallest = torch.finfo(batch("x", x).dtype).eps / 4
    if (a := float(schedule.alpha_bar[-1]) ** 0.5) < smallest:
        raise ValueError(
            f"sqrt(alpha_bar_T) must be at least {smallest:.2g}, what "
            f"{x.dtype} can tell from 0, got {a:.2g}: an eps_hat there says "
            "nothing of x_0"
        )
    if not isinstance(times, Iterable):
        raise ValueError(f"times must be a sequence of steps, got {times!r}")
    visited = [one_step(t, 0, schedule.T) for t in times]
    ends = visited[:1] == [schedule.T] and visited[-1:] == [0]
    steps = list(pairwise(visited))
    if not ends or not all(s < t for t, s in steps):
        raise ValueError(
            f"times must fall from T = {schedule.T} to 0, each step once, got "
            f"{visited if len(visited) < 20 else [*visited[:20], '...']}"
        )
    return steps
