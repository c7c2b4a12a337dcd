"""One pass instead of many: what a student learns, and from whom.

Teacher and student are denoisers, and the student's x_0 is the one that its
eps_hat implies: at step 0 that is x_t itself, whatever the network says. So a
student samples as every denoiser does: one pass is one DDIM step from T to 0.
A network that predicts v (``networks.VPrediction``) can be a student; at T,
where a is nearly 0, one that predicts eps cannot.

The losses fit ``training.train``; labels y go to teacher and student.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from diffusion_lite.arguments import (
    batch,
    normal,
    one_step,
    random_integers,
    source,
    time_steps,
    whole,
)
from diffusion_lite.forward import q_sample
from diffusion_lite.parameterization import x_0_from_eps
from diffusion_lite.schedules import Schedule
from diffusion_lite.types import Denoiser

Network = Callable[..., Tensor]
HALVINGS = 7
"""The smallest steps of a shortcut network: 2^7 from noise to data."""


def progressive_target(
    teacher: Denoiser,
    x_t: Tensor,
    t: int | Tensor,
    s: int | Tensor,
    r: int | Tensor,
    schedule: Schedule,
) -> Tensor:
    """Return the x_0 with which one DDIM step t -> r does the work of two.

    x_0 = (x_r - (s_r / s_t) x_t) / (a_r - (s_r / s_t) a_t), where x_r is
    where the teacher's steps t -> s -> r land; t > s > r >= 0.
    Book: eq-progressive.
    Source: Salimans and Ho 2022, algorithm 2.
    """
    times = [time_steps(time, 0, schedule.T) for time in (t, s, r)]
    if not all(bool((b > c).all()) for b, c in pairwise(times)):
        raise ValueError(f"t > s > r must hold, got {t}, {s} and {r}")
    x_s = _ddim_step(teacher, x_t, t, s, schedule)
    x_r = _ddim_step(teacher, x_s, s, r, schedule)
    a_t, s_t = schedule.coefficients(t, like=x_t)
    a_r, s_r = schedule.coefficients(r, like=x_t)
    ratio = s_r / s_t
    return (x_r - ratio * x_t) / (a_r - ratio * a_t)


def progressive_loss(
    student: Network,
    x_0: Tensor,
    y: Tensor | None = None,
    *,
    teacher: Network,
    times: Sequence[int],
    schedule: Schedule,
    generator: torch.Generator,
) -> Tensor:
    """Return the error of a student that takes two steps at once, a scalar.

    |x_0 - x_0_hat|^2 / (D s_t^2), the loss of v, with x_0 the progressive
    target, at random steps of the student. ``times`` are the teacher's, an
    even number of steps from T to 0; the student's are every second one.
    Book: eq-progressive-loss.
    Source: Salimans and Ho 2022, algorithm 2; section 4 for the weight.
    """
    steps = _falling(times, schedule)
    if len(steps) % 2 == 0:
        raise ValueError(
            f"times must be an even number of steps, got {len(steps) - 1}"
        )
    i = 2 * random_integers(0, len(steps) // 2 - 1, len(x_0), generator)
    t, s, r = steps[i], steps[i + 1], steps[i + 2]
    x_t = q_sample(x_0, t, normal(x_0.shape, generator).to(x_0), schedule)
    with torch.no_grad():
        target = progressive_target(_asked(teacher, y), x_t, t, s, r, schedule)
    return _v_error(_asked(student, y), x_t, t, target, schedule)


def consistency_loss(
    student: Network,
    x_0: Tensor,
    y: Tensor | None = None,
    *,
    teacher: Network | None = None,
    times: Sequence[int],
    schedule: Schedule,
    generator: torch.Generator,
) -> Tensor:
    """Return how a student's x_0 differs between two neighbours, a scalar.

    |x_0_hat(x_t, t) - x_0_hat(x_s, s)|^2 / (D s_t^2) at random neighbours
    t, s of the times, which fall from T to 0; the second is fixed, and at
    s = 0 it is x_s itself. With a teacher x_s is where its DDIM step from
    x_t lands (distilled); without, it has x_t's own x_0 and eps (trained).
    Book: eq-consistency.
    Source: Song et al. 2023, algorithms 2 and 3; without their mean of the
    weights Song and Dhariwal 2024, section 3.2.
    """
    steps = _falling(times, schedule)
    i = random_integers(0, len(steps) - 2, len(x_0), generator)
    t, s = steps[i], steps[i + 1]
    eps = normal(x_0.shape, generator).to(x_0)
    x_t = q_sample(x_0, t, eps, schedule)
    with torch.no_grad():
        x_s = q_sample(x_0, s, eps, schedule)
        if teacher is not None:
            x_s = _ddim_step(_asked(teacher, y), x_t, t, s, schedule)
        target = _x_0(_asked(student, y), x_s, s, schedule)
    return _v_error(_asked(student, y), x_t, t, target, schedule)


def consistency_sample(
    student: Denoiser,
    x_T: Tensor,
    schedule: Schedule,
    times: Sequence[int],
    *,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Yield x at each of the times: a pass to x_0, then noise anew.

    The times fall from T to 0, so the last pass adds no noise.
    Source: Song et al. 2023, algorithm 1.
    """
    steps = _falling(times, schedule).tolist()
    source(generator)

    def states(x: Tensor) -> Iterator[Tensor]:
        yield x
        for t, s in pairwise(steps):
            with torch.no_grad():
                x_0 = _x_0(student, x, torch.full((len(x),), t), schedule)
            x = q_sample(x_0, s, normal(x.shape, generator).to(x), schedule)
            yield x

    return states(batch("x_T", x_T))


def shortcut_target(
    net: Network, x_t: Tensor, step: Tensor, halvings: Tensor
) -> Tensor:
    """Return the mean velocity of two steps, each of half the size d.

    (v + v') / 2, with v = net(x_t, t, d / 2) and
    v' = net(x_t - v d / 2, t - d / 2, d / 2). The network is told the time
    as step = 2^HALVINGS t, and the size by how often it is halved: d is
    2^-halvings, both (B,).
    Book: eq-shortcut.
    Source: Frans et al. 2025, eq. 4; their time runs from noise to data.
    """
    half = 2**HALVINGS >> (halvings + 1)
    v = net(x_t, step, halvings + 1)
    x_next = x_t - _time(half, x_t) * v
    return (v + net(x_next, step - half, halvings + 1)) / 2


def shortcut_loss(
    net: Network,
    x_0: Tensor,
    y: Tensor | None = None,
    *,
    generator: torch.Generator,
) -> Tensor:
    """Return the error of a network that is told how far to step, a scalar.

    x_t = (1 - t) x_0 + t eps. Three rows of four learn the velocity,
    eps - x_0, which has the label HALVINGS; the fourth learns larger steps,
    2^-h with h from 0 to HALVINGS - 1, from shortcut_target.
    Source: Frans et al. 2025, algorithm 1.
    """
    N, large = 2**HALVINGS, torch.arange(len(x_0)) % 4 == 0
    eps = normal(x_0.shape, generator).to(x_0)
    h = random_integers(0, HALVINGS - 1, len(x_0), generator)
    h = torch.where(large, h, HALVINGS)
    step = random_integers(0, N - 1, len(x_0), generator) % 2**h + 1
    step = step * (N >> h)  # a whole number of such steps from data
    t = _time(step, x_0)
    x_t, target = (1 - t) * x_0 + t * eps, eps - x_0
    with torch.no_grad():
        ask = _asked(net, None if y is None else y[large])
        rows = x_t[large], step[large], h[large]
        target[large] = shortcut_target(ask, *rows)
    return (_asked(net, y)(x_t, step, h) - target).square().mean()


def shortcut_sample(
    net: Network, eps: Tensor, halvings: int
) -> Iterator[Tensor]:
    """Yield x after each of 2^halvings equal steps from noise to data.

    Source: Frans et al. 2025, algorithm 2.
    """
    (h,) = whole(0, 1, HALVINGS, halvings=halvings)
    size = 2**HALVINGS >> h

    def states(x: Tensor) -> Iterator[Tensor]:
        yield x
        for step in range(2**HALVINGS, 0, -size):
            when = torch.full((len(x),), step), torch.full((len(x),), h)
            with torch.no_grad():
                x = x - net(x, *when) / 2**h
            yield x

    return states(batch("eps", eps))


def _asked(net: Network, y: Tensor | None) -> Network:
    """Return the network for the labels y, if there are any."""
    return net if y is None else partial(net, y=y)


def _x_0(
    eps_model: Denoiser, x_t: Tensor, t: Tensor, schedule: Schedule
) -> Tensor:
    """Return the x_0 that the answer implies."""
    return x_0_from_eps(x_t, t, eps_model(x_t, t), schedule)


def _v_error(
    student: Denoiser,
    x_t: Tensor,
    t: Tensor,
    target: Tensor,
    schedule: Schedule,
) -> Tensor:
    """Return the mean of |x_0 - x_0_hat|^2 / s_t^2: the loss of v."""
    _, s_t = schedule.coefficients(t, like=x_t)
    error = _x_0(student, x_t, t, schedule) - target
    return (error / s_t).square().mean()


def _ddim_step(
    eps_model: Denoiser,
    x_t: Tensor,
    t: int | Tensor,
    s: int | Tensor,
    schedule: Schedule,
) -> Tensor:
    """Return x_s, one step without noise; t and s may differ by row."""
    eps_hat = eps_model(x_t, torch.as_tensor(t).expand(len(x_t)))
    x_0_hat = x_0_from_eps(x_t, t, eps_hat, schedule)
    return q_sample(x_0_hat, s, eps_hat, schedule)


def _time(step: Tensor, x: Tensor) -> Tensor:
    """Return step / 2^HALVINGS, shaped to multiply x."""
    return (step / 2**HALVINGS).to(x).reshape(-1, *[1] * (x.ndim - 1))


def _falling(times: Sequence[int], schedule: Schedule) -> Tensor:
    """Return the times, if they fall from T to 0."""
    steps = [one_step(t, 0, schedule.T) for t in times]
    falls = all(t > s for t, s in pairwise(steps))
    if not falls or steps[:1] != [schedule.T] or steps[-1:] != [0]:
        raise ValueError(
            f"times must fall from T = {schedule.T} to 0, got {steps}"
        )
    return torch.tensor(steps)
