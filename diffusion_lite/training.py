"""The loop that learns. It is a generator: the caller owns the loop."""

import copy
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from diffusion_lite.arguments import (
    batch,
    batch_shape,
    described,
    inside,
    random_integers,
    source,
    whole,
)

WARMUP_STEPS = 100
EMA_DECAY = 0.999
T = TypeVar("T")


@dataclass(eq=False)
class TrainingState:
    """Where training stands. ``train`` yields it, the same one, each step.

    ``ema`` is the model to sample from: a moving mean of the weights.
    ``loss`` is the last step's, None before the first.
    """

    model: nn.Module
    ema: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    loss: float | None = None


def train(
    model: nn.Module,
    loss: Callable[..., Tensor],
    data: Tensor | tuple[Tensor, ...],
    *,
    steps: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
) -> Iterator[TrainingState]:
    """Minimise any loss over the data; yield the state after each step.

    loss(model, *rows, generator=generator) is a scalar, where the rows are
    a random batch of each tensor of the data: (x_0,) or (x_0, y). The model
    is trained in place, with Adam, where it is; data lie on its device, and
    are taken in float32, or in float64 if its weights are. What else torch
    was told for the process (no gradients, autocast, another default dtype)
    changes no step.
    Source: Ho et al. 2020, algorithm 1, where the loss is denoising_loss.
    Shapes: each tensor of the data (N, ...), with one N.

    Raises:
        FloatingPointError: the loss or its gradient is not finite any
            more. The weights and their mean stay those of the step before.
    """
    options = checked_options(loss, steps, batch_size, lr, generator)
    state, data = start(model), checked_data(data, model)
    return training_steps(state, loss, data, *options, generator)


def training_steps(
    state: TrainingState,
    loss: Callable[..., Tensor],
    data: tuple[Tensor, ...],
    steps: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
) -> Iterator[TrainingState]:
    """Take the steps of ``train`` that are left; yield each state."""
    while state.step < steps:
        with steady(data[0].device.type):
            rows = sample_batch(data, batch_size, generator)
            value = loss(state.model, *rows, generator=generator)
            rate = learning_rate(state.step, steps, lr)
            state.loss = optimizer_step(value, state.optimizer, rate)
            update_ema(state.ema, state.model, state.step)
        state.step += 1
        yield state


@contextmanager
def steady(device_type: str = "cpu") -> Iterator[None]:
    """Train in the way that ``train`` says, whatever the process was told."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device_type, enabled=False),
        ):
            yield
    finally:
        torch.set_default_dtype(dtype)


@steady()
def start(
    model: nn.Module, momentum: float = 0.9, place: torch.device | None = None
) -> TrainingState:
    """Return the state before the first step, if the model can take steps.

    What each step does to its tensors is tried: they are overwritten, with
    what they are, and copied.
    """
    try:
        model = model.to(place)
        if any(p.is_complex() for p in model.parameters()):
            raise TypeError("Adam trains no complex weight")
        with torch.no_grad():
            for x in (*model.parameters(), *model.buffers()):
                x.copy_(x.detach().cpu().clone())
        betas = momentum, 0.99
        adam = torch.optim.Adam(model.parameters(), betas=betas, fused=True)
        ema = copy.deepcopy(model).requires_grad_(False)
        update_ema(ema, model, 0)
    except Exception as error:  # whatever torch raises
        raise ValueError(
            "model must be a Module with weights that can learn and be "
            f"copied, got {described(model)}: {error}"
        ) from error
    return TrainingState(model, ema, adam)


def sample_batch(
    data: tuple[Tensor, ...], n: int, generator: torch.Generator
) -> list[Tensor]:
    """Return the same n random rows of each tensor, with replacement."""
    i = random_integers(0, len(data[0]) - 1, n, generator)
    return [x[i] for x in data]


def optimizer_step(
    loss: Tensor, optimizer: torch.optim.Optimizer, rate: float
) -> float:
    """Take one step down the gradient, clipped to length 1; return the loss.

    Raises:
        FloatingPointError: it or its gradient is not finite. The weights
            stay.
    """
    (group,) = optimizer.param_groups
    optimizer.zero_grad()
    _check_scalar(loss)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(group["params"], 1.0)
    # The one time that the processor waits for a GPU.
    both: list[float] = torch.stack([loss.detach(), norm]).tolist()
    value, length = both
    if not math.isfinite(value + length):
        raise FloatingPointError(
            f"the loss is {value:g} and its gradient's length {length:g}: "
            f"lower lr (now {rate:g}), or look for huge values in the data"
        )
    group["lr"] = rate
    optimizer.step()
    return value


def learning_rate(step: int, steps: int, lr: float) -> float:
    """Return the rate of a step: a linear rise, then half a cosine to 0.

    lr min(1, (step + 1) / 100) (1 + cos(pi step / steps)) / 2.
    Book: eq-learning-rate. Source: Loshchilov and Hutter 2017, eq. 5, for
    the cosine.
    """
    rise = min(1.0, (step + 1) / WARMUP_STEPS)
    return lr * rise * (1 + math.cos(math.pi * step / steps)) / 2


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, n: int) -> None:
    """Move the mean of the weights towards the weights, in place.

    mean <- d mean + (1 - d) weight, with d = min(EMA_DECAY, (1 + n) /
    (10 + n)) at update n: fast at first, to forget the start. Update 0
    copies the weights, and every update the buffers.
    Book: eq-ema. Source: TensorFlow's ExponentialMovingAverage, for this d.
    """
    decay = min(EMA_DECAY, (1 + n) / (10 + n)) if n else 0.0
    mean: list[Tensor] = list(ema.parameters())
    weights: list[Tensor] = list(model.parameters())
    torch._foreach_lerp_(mean, weights, 1 - decay)
    for kept, buffer in zip(ema.buffers(), model.buffers(), strict=True):
        kept.copy_(buffer)


def last(run: Iterable[T]) -> T:
    """Return the last item of a run, as of ``train`` or a sampler."""
    items = deque(run, maxlen=1)
    if not items:
        raise ValueError("the run is empty: it has no last item")
    return items[0]


def device() -> torch.device:
    """Return where to put model and data: CUDA if there is one, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _check_scalar(loss: Tensor) -> None:
    real = isinstance(loss, Tensor) and loss.is_floating_point()
    if not real or loss.ndim or not loss.requires_grad:
        given = described(loss)
        if real and not loss.ndim:
            given += " without a gradient: no weight that learns is in it"
        raise ValueError(
            "the loss must return a tensor of one number, shape (), such as "
            f"the mean over the batch; got {given}"
        )


def checked_options(
    loss: Callable[..., Tensor],
    steps: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
) -> tuple[int, int, float]:
    """Return steps, batch_size and lr as Python's numbers, in range."""
    if not callable(loss):
        raise ValueError(
            "loss must be a function of (model, *rows, generator=), got "
            f"{described(loss)}"
        )
    source(generator)
    steps, batch_size = whole(1, steps=steps, batch_size=batch_size)
    (lr,) = inside(0, 1, lr=lr)
    return steps, batch_size, lr


def checked_data(
    data: Tensor | tuple[Tensor, ...], model: nn.Module
) -> tuple[Tensor, ...]:
    """Return the data as a tuple, floats in float32 or the model's float64."""
    data = data if isinstance(data, tuple) else (data,)
    sizes = {x.shape[:1] if isinstance(x, Tensor) else None for x in data}
    if len(sizes) != 1 or None in sizes:
        raise ValueError(
            "data must be a tensor (N, ...), or a tuple of tensors with one "
            f"N; got {', '.join(map(described, data)) or '()'}"
        )
    dtypes = {torch.float32, *(p.dtype for p in model.parameters())}
    dtype = torch.float64 if torch.float64 in dtypes else torch.float32
    return tuple(
        batch("data", batch_shape("data", x).detach().to(dtype))
        if x is data[0] or x.is_floating_point()
        else x
        for x in data
    )
