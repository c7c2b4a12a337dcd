"""Pictures from pictures: another version, a part anew, one between two."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from diffusion_lite.arguments import at_least, batch, normal, source, whole
from diffusion_lite.forward import q_sample
from diffusion_lite.schedules import Schedule
from diffusion_lite.solvers import ddim_step
from diffusion_lite.types import Denoiser


def times_down(start: int, passes: int) -> list[int]:
    """Return steps from start to 0, each once: at most passes + 1 of them."""
    start, passes = whole(1, start=start, passes=passes)
    n = min(passes, start)
    return [round(start * (1 - i / n)) for i in range(n + 1)]


def image_to_image(
    eps_model: Denoiser,
    x_0: Tensor,
    strength: float,
    schedule: Schedule,
    *,
    passes: int = 20,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Noise pictures up to step strength T, and denoise from there.

    At strength 0 they stay, at 1 hardly anything of them is left. The passes
    are strength times as many. Yields each state, as a sampler does.
    Source: Meng et al. 2022 (SDEdit), algorithm 1, there with an SDE.
    """
    (strength,) = at_least(0, strength=strength)
    if strength > 1:
        raise ValueError(f"strength must lie in 0..1, got {strength:g}")
    start = round(strength * schedule.T)
    eps = normal(batch("x_0", x_0).shape, source(generator)).to(x_0)
    times = (
        times_down(start, max(1, round(strength * passes))) if start else [0]
    )
    return _down(
        eps_model, q_sample(x_0, start, eps, schedule), times, schedule
    )


def _down(
    eps_model: Denoiser, x: Tensor, times: list[int], schedule: Schedule
) -> Iterator[Tensor]:
    """Take DDIM's steps from a state at times[0]; yield each state."""
    yield x
    for t, s in pairwise(times):
        eps_hat = eps_model(x, torch.full((len(x),), t, device=x.device))
        x = ddim_step(x, t, s, eps_hat, torch.zeros_like(x), schedule)
        yield x


def inpaint(
    eps_model: Denoiser,
    x_0: Tensor,
    mask: Tensor,
    schedule: Schedule,
    *,
    passes: int = 20,
    repeats: int = 1,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Sample what lies under a mask, and keep the rest of the pictures.

    After each step the rest is replaced by x_0 with fresh noise. Sampler
    and rest then do not know of one another: seams. With more ``repeats``
    each step is taken again, after noise that undoes it, so that the two can
    agree. Yields each state.
    Shapes: x_0 (B, ...); mask of its shape, or one that broadcasts to it.
    Source: Lugmayr et al. 2022 (RePaint), algorithm 1.
    """
    (repeats,) = whole(1, repeats=repeats)
    source(generator)
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be of bool, got {mask.dtype}")
    try:
        torch.broadcast_to(mask, batch("x_0", x_0).shape)
    except RuntimeError:
        raise ValueError(
            f"mask must fit x_0, {tuple(x_0.shape)}; got {tuple(mask.shape)}"
        ) from None
    times = times_down(schedule.T, passes)
    return _inpainted(
        eps_model, x_0, mask, times, schedule, repeats, generator
    )


def _inpainted(
    eps_model: Denoiser,
    x_0: Tensor,
    mask: Tensor,
    times: list[int],
    schedule: Schedule,
    repeats: int,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Take the steps of inpaint; yield each state."""

    def noise() -> Tensor:
        return normal(x_0.shape, generator).to(x_0)

    x_t = noise()
    yield x_t
    for t, s in pairwise(times):
        kept = float(schedule.alpha_bar[t] / schedule.alpha_bar[s])
        for again in reversed(range(repeats)):
            step = torch.full((len(x_t),), t, device=x_t.device)
            eps_hat = eps_model(x_t, step)
            x_s = ddim_step(x_t, t, s, eps_hat, noise(), schedule, eta=1.0)
            rest = q_sample(x_0, s, noise(), schedule)
            x_s = torch.where(mask, x_s, rest)
            if again:
                x_t = kept**0.5 * x_s + (1 - kept) ** 0.5 * noise()
        x_t = x_s
        yield x_t


def between(x: Tensor, y: Tensor, share: float) -> Tensor:
    """Return a noise between two, from x at share 0 to y at share 1.

    cos(share pi / 2) x + sin(share pi / 2) y: of two samples of N(0, I)
    it is one too, which (1 - share) x + share y is not.
    """
    angle = share * math.pi / 2
    return math.cos(angle) * x + math.sin(angle) * y
