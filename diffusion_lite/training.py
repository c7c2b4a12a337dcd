"""The loop that learns. It is a generator: the caller owns the loop."""

import hashlib
import json
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from diffusion_lite.arguments import batch, class_labels
from diffusion_lite.elbo import simple_loss
from diffusion_lite.schedules import Schedule

WARMUP_STEPS = 100
EMA_DECAY = 0.999
FORMAT = "diffusion_lite checkpoint 1"


@dataclass(frozen=True)
class Run:
    """What makes a run this run: a checkpoint of another is refused."""

    steps: int
    batch_size: int
    lr: float
    loss: str  # the function's name
    data: str  # a hash of the data and their labels
    schedule: str  # a hash of beta


@dataclass(eq=False)
class TrainingState:
    """Where training stands. ``train`` yields it, the same one, each step.

    ``ema`` is the model to draw with: a running mean of the weights.
    ``loss`` is the last step's, None before the first.
    """

    model: nn.Module
    ema: AveragedModel
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    run: Run
    step: int = 0
    loss: float | None = None


def device() -> torch.device:
    """Return where ``train`` works: CUDA if there is one, else the CPU."""
    return _accelerator().device


def train(
    model: nn.Module,
    data: Tensor,
    schedule: Schedule,
    *,
    steps: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
    labels: Tensor | None = None,
    loss: Callable = simple_loss,
    resume: str | Path | None = None,
) -> Iterator[TrainingState]:
    """Train a denoiser; yield the state after each step.

    Each step draws x_0 from the data, t from 1..T and eps, and goes down
    the gradient of the loss, simple_loss or elbo_loss, with Adam and
    clipped gradients. The rate rises to lr in 100 steps, then falls to 0
    like a cosine. The model is moved to ``device()`` and trained in place.
    With ``resume``, the run goes on from that checkpoint as if it had not
    stopped, on the CPU bit for bit. Under ``torchrun`` each process takes
    its share of every batch.
    Source: Ho et al. 2020, algorithm 1.
    Shapes: data (N, ...); labels (N,), for a model that takes y.

    Raises:
        ValueError: an argument is out of range, or the checkpoint is not
            of this run.
        FloatingPointError: the loss is not finite any more. The model
            keeps the weights of the step before.
    """
    _check_arguments(data, labels, steps, batch_size, lr)
    accelerator = _accelerator()
    model.to(accelerator.device)
    state = TrainingState(
        model=model,
        ema=AveragedModel(model, multi_avg_fn=update_ema),
        optimizer=torch.optim.Adam(
            model.parameters(), lr=lr, betas=(0.9, 0.99), fused=True
        ),
        generator=generator,
        run=Run(
            steps,
            batch_size,
            lr,
            loss.__name__,
            _hash(data, labels),
            _hash(schedule.beta),
        ),
    )
    if resume is not None:
        load_checkpoint(state, resume)
    return _loop(state, accelerator, loss, data, labels, schedule)


@dataclass(eq=False)
class Fit:
    """Where ``fit`` stands. It yields it, the same one, each step."""

    model: nn.Module
    ema: AveragedModel
    step: int = 0
    loss: float | None = None


def fit(
    model: nn.Module,
    loss: Callable[[Tensor], Tensor],
    data: Tensor,
    *,
    steps: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
) -> Iterator[Fit]:
    """Go down any loss(x_0) of a model; yield where it stands each step.

    With batches, rates, clipping and the moving mean of ``train``; on the
    CPU, in one process, and without checkpoints.
    Shapes: data (N, ...).

    Raises:
        ValueError: an argument is out of range.
        FloatingPointError: the loss is not finite any more.
    """
    _check_arguments(data, None, steps, batch_size, lr)
    ema = AveragedModel(model, multi_avg_fn=update_ema)
    return _fit(Fit(model, ema), loss, data, steps, batch_size, lr, generator)


def _fit(
    state: Fit,
    loss: Callable[[Tensor], Tensor],
    data: Tensor,
    steps: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
) -> Iterator[Fit]:
    adam = torch.optim.Adam(
        state.model.parameters(), betas=(0.9, 0.99), fused=True
    )
    while state.step < steps:
        rate = learning_rate(state.step, steps, lr)
        x_0 = sample_batch(data, batch_size, generator)
        state.loss = optimizer_step(loss(x_0), adam, rate)
        state.ema.update_parameters(state.model)
        state.step += 1
        yield state


def sample_batch(data: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Return n rows of the data, drawn with replacement, in float32."""
    return data[torch.randint(len(data), (n,), generator=generator)].float()


def optimizer_step(
    loss: Tensor, optimizer: torch.optim.Optimizer, rate: float
) -> float:
    """Take one step down a loss, at that rate; return the loss.

    Raises:
        FloatingPointError: it is not finite. The weights stay.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise FloatingPointError(f"the loss is {value}: lower lr")
    (group,) = optimizer.param_groups
    group["lr"] = rate
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(group["params"], 1.0)
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


def update_ema(
    averaged: list[Tensor], current: list[Tensor], n: Tensor
) -> None:
    """Move the averages towards the weights, in place, after update n.

    average <- d average + (1 - d) weight, with d = min(EMA_DECAY,
    (1 + n) / (10 + n)): fast at first, to forget the start.
    Book: eq-ema. Source: Polyak and Juditsky 1992, for the idea.
    """
    decay = min(EMA_DECAY, (1 + int(n)) / (10 + int(n)))
    torch._foreach_lerp_(averaged, current, 1 - decay)


def _loop(
    state: TrainingState,
    accelerator: Accelerator,
    loss_function: Callable,
    data: Tensor,
    labels: Tensor | None,
    schedule: Schedule,
) -> Iterator[TrainingState]:
    model = accelerator.prepare(state.model)
    while state.step < state.run.steps:
        with _whole_step():
            x_0, y, t, eps = _draw(state, accelerator, data, labels, schedule)
            eps_model = model if y is None else partial(model, y=y)
            loss = loss_function(eps_model, x_0, t, eps, schedule)
            _descend(state, accelerator, loss)
        yield state


def _draw(
    state: TrainingState,
    accelerator: Accelerator,
    data: Tensor,
    labels: Tensor | None,
    schedule: Schedule,
) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """Draw a batch: x_0, y, t, eps. All processes draw the same one.

    Each then keeps every n-th row, so that n processes take the very step
    that one would.
    """
    n = state.run.batch_size
    i = torch.randint(len(data), (n,), generator=state.generator)
    t = torch.randint(1, schedule.T + 1, (n,), generator=state.generator)
    eps = torch.randn((n, *data.shape[1:]), generator=state.generator)
    mine = slice(accelerator.process_index, None, accelerator.num_processes)
    there = accelerator.device
    y = None if labels is None else labels[i[mine]].to(there)
    return data[i[mine]].float().to(there), y, t[mine], eps[mine].to(there)


def _descend(
    state: TrainingState, accelerator: Accelerator, loss: Tensor
) -> None:
    """Take one step down the gradient of the loss."""
    value = float(accelerator.reduce(loss.detach(), "mean"))
    _check_finite(value, state)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, state.run.steps, state.run.lr)
    state.optimizer.zero_grad()
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(state.model.parameters(), 1.0)
    state.optimizer.step()
    state.ema.update_parameters(state.model)
    state.step += 1
    state.loss = value


@contextmanager
def _whole_step() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the step, so that no step is half."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)


def save_checkpoint(state: TrainingState, path: str | Path) -> None:
    """Write the state to a safetensors file, whole or not at all.

    The file is written beside its place and then moved there: a full disk
    or a crash leaves the old checkpoint as it was. Of several processes,
    the main one writes.

    Raises:
        OSError: the file cannot be written.
    """
    if not PartialState().is_main_process:
        return
    about = {"format": FORMAT, "run": json.dumps(asdict(state.run))}
    content = to_bytes(_to_tensors(state), about | {"step": str(state.step)})
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint(state: TrainingState, path: str | Path) -> None:
    """Bring the state to where the checkpoint was saved.

    Nothing is unpickled, and nothing is changed unless all of it fits.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is cut short, no checkpoint of this book, of another
            model or of another run.
    """
    saved, about = _read(Path(path))
    if about.get("format") != FORMAT or not about.keys() >= {"run", "step"}:
        raise ValueError(f"{path} is not a checkpoint of diffusion_lite")
    _check_same_run(state.run, json.loads(about["run"]), path)
    _check_same_model(state, saved, path)
    try:
        state.generator.set_state(saved["generator"])
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{path} has a broken generator: {error}") from None
    state.step = int(about["step"])
    state.model.load_state_dict(_part(saved, "model."))
    state.ema.load_state_dict(_part(saved, "ema."))
    for name, p in state.model.named_parameters():
        moments = _part(saved, f"adam.{name}.")
        state.optimizer.state[p] = {
            key: value.to(p.device) for key, value in moments.items()
        }


def _to_tensors(state: TrainingState) -> dict[str, Tensor]:
    tensors = _weights(state)
    for name, p in state.model.named_parameters():
        for key, value in state.optimizer.state[p].items():
            tensors[f"adam.{name}.{key}"] = value
    return {k: v.detach().cpu().contiguous() for k, v in tensors.items()}


def _weights(state: TrainingState) -> dict[str, Tensor]:
    tensors = {"generator": state.generator.get_state()}
    for name, module in (("model", state.model), ("ema", state.ema)):
        for key, value in module.state_dict().items():
            tensors[f"{name}.{key}"] = value
    return tensors


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value
        for key, value in tensors.items()
        if key.startswith(prefix)
    }


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            about = file.metadata() or {}
            return {name: file.get_tensor(name) for name in names}, about
    except SafetensorError as error:
        raise ValueError(
            f"{path} is not a whole safetensors file: {error}"
        ) from None


def _check_same_run(run: Run, saved: dict, path: str | Path) -> None:
    now = asdict(run)
    other = [
        f"{key} was {saved.get(key)}, now {now[key]}"
        for key in now
        if saved.get(key) != now[key]
    ]
    if other:
        raise ValueError(f"{path} is of another run: {'; '.join(other)}")


def _check_same_model(
    state: TrainingState, saved: dict[str, Tensor], path: str | Path
) -> None:
    have = _shapes(state)
    read = {key: tuple(value.shape) for key, value in saved.items()}
    for key in have | read:
        if have.get(key) != read.get(key):
            raise ValueError(
                f"{path} is of another model: {key} is "
                f"{read.get(key, 'missing')} in the file, "
                f"{have.get(key, 'missing')} in the model"
            )


def _shapes(state: TrainingState) -> dict[str, tuple]:
    """Return the names and shapes that a checkpoint of the state has."""
    shapes = {key: tuple(x.shape) for key, x in _weights(state).items()}
    for name, p in state.model.named_parameters():
        shapes[f"adam.{name}.step"] = ()
        shapes[f"adam.{name}.exp_avg"] = tuple(p.shape)
        shapes[f"adam.{name}.exp_avg_sq"] = tuple(p.shape)
    return shapes


def _check_finite(loss: float, state: TrainingState) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} at step {state.step + 1}: lower lr "
            f"(now {state.run.lr:g}), or look for huge values in the data"
        )


def _check_arguments(
    data: Tensor,
    labels: Tensor | None,
    steps: int,
    batch_size: int,
    lr: float,
) -> None:
    batch("data", data)
    if labels is not None:
        class_labels(labels, len(data))
    share = _accelerator().num_processes
    if steps < 1 or batch_size < 1 or batch_size % share or not 0 < lr < 1:
        raise ValueError(
            "steps and batch_size must be at least 1, batch_size a multiple "
            f"of the number of processes ({share}), and lr inside (0, 1); "
            f"got steps = {steps}, batch_size = {batch_size}, lr = {lr:g}"
        )


def _accelerator() -> Accelerator:
    return Accelerator(cpu=not torch.cuda.is_available())


def _hash(*tensors: Tensor | None) -> str:
    total = hashlib.sha256()
    for x in tensors:
        if x is not None:
            total.update(x.detach().cpu().double().numpy().tobytes())
    return total.hexdigest()[:16]
