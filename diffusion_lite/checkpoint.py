"""Long runs: saved and resumed, on a GPU, on several processes.

Around ``train`` for who needs it: it takes the very same steps.
"""

import hashlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor, distributed, nn

from diffusion_lite.schedules import Schedule
from diffusion_lite.training import (
    TrainingState,
    checked_data,
    checked_options,
    device,
    start,
    steady,
    training_steps,
)

FORMAT = "diffusion_lite checkpoint 3"
SAVE_EVERY = 1000
# Variables of the environment that make products of float32 less precise.
PRECISION = "NVIDIA_TF32_OVERRIDE", "ONEDNN_DEFAULT_FPMATH_MODE"


@dataclass(frozen=True)
class Run:
    """What makes a run this run: a checkpoint of another is refused."""

    steps: int
    batch_size: int
    lr: float
    loss: str  # the function's name, and what it was given
    data: str  # a hash
    precision: str  # of float32 products, where torch or the machine lowers it


def long_run(
    path: str | Path,
    model: nn.Module,
    loss: Callable[..., Tensor],
    data: Tensor | tuple[Tensor, ...],
    *,
    steps: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
) -> Iterator[TrainingState]:
    """Train with a checkpoint; yield where the run stands, then each step.

    If there is a checkpoint, the run goes on from it as if it had not
    stopped: on the CPU, with as many threads, bit for bit, where all that is
    random comes from the generator. A run that is done is yielded once. It
    is saved every SAVE_EVERY steps and when the run ends, whether it is done,
    left, or stopped by Ctrl-C, which waits for the end of a step; before the
    first step, that it can be saved is tried. Model and data are moved to
    ``device()``. Under ``torchrun`` each process evaluates the model on its
    share of every batch, if all that the loss does with it is to call it.

    Raises:
        FloatingPointError: as ``train``.
        OSError: the checkpoint cannot be read or written.
    """
    options = checked_options(loss, steps, batch_size, lr, generator)
    data = checked_data(data, model)
    run = Run(*options, _describe(loss), _hash(*data), _precision())
    _join_processes(run.batch_size)
    path = Path(path).expanduser().resolve()
    state = start(model.to(device()))
    _start_moments(state.optimizer)
    if path.exists():
        load_checkpoint(path, state, run, generator)
    if state.step < run.steps and _rank() == 0:
        with _written(path, _content(state, run, generator)):
            pass  # that it can be
    data = tuple(x.to(device()) for x in data)
    return _saved_steps(path, state, run, loss, data, generator)


def _saved_steps(
    path: Path,
    state: TrainingState,
    run: Run,
    loss: Callable[..., Tensor],
    data: tuple[Tensor, ...],
    generator: torch.Generator,
) -> Iterator[TrainingState]:
    arguments = data, run.steps, run.batch_size, run.lr, generator
    saved = state.step

    def save() -> None:
        if state.step > saved:
            save_checkpoint(path, state, run, generator)

    try:
        yield state
        with _shared(loss, state.model, generator) as shared_loss:
            steps = training_steps(state, shared_loss, *arguments)
            while state.step < run.steps:
                with _whole_step():
                    next(steps)
                if state.step % SAVE_EVERY == 0:
                    save()
                yield state
    except (KeyboardInterrupt, GeneratorExit):
        save()
        raise
    save()


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


def save_checkpoint(
    path: str | Path,
    state: TrainingState,
    run: Run,
    generator: torch.Generator,
) -> None:
    """Write the state to a safetensors file, whole or not at all.

    The file is written beside its place and then moved there: a full disk
    or a crash leaves the old checkpoint as it was. Of several processes,
    the first one writes. Before the first step there is nothing to write.

    Raises:
        OSError: the file cannot be written.
    """
    if state.step > 0 and _rank() == 0:
        with _written(Path(path), _content(state, run, generator)) as part:
            part.replace(path)


def _content(
    state: TrainingState, run: Run, generator: torch.Generator
) -> bytes:
    tensors = {
        k: v.detach().cpu().clone(memory_format=torch.contiguous_format)
        for k, v in _tensors(state, generator).items()
    }  # each a copy: of weights that are shared the file has each one's
    about = {"format": FORMAT, "run": json.dumps(asdict(run))}
    about |= {"step": str(state.step), "loss": repr(state.loss)}
    about["sha256"] = _digest(tensors, about)
    try:
        return to_bytes(tensors, about)
    except Exception as error:  # it raises whatever is under it
        raise ValueError(f"no file can hold this run: {error}") from error


@contextmanager
def _written(path: Path, content: bytes) -> Iterator[Path]:
    """Give a file with the content, beside the path, for as long as it takes.

    To be moved there, so that what is there changes at once or not at all.
    """
    part = path.with_name(path.name + ".part")
    if not part.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {part.parent}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint(
    path: str | Path,
    state: TrainingState,
    run: Run,
    generator: torch.Generator,
) -> None:
    """Bring state and generator to where the checkpoint was saved.

    Nothing is unpickled, and nothing is changed unless all of it fits.

    Raises:
        OSError: the file cannot be read.
    """
    saved, about = _read(Path(path))
    _check_same_run(run, json.loads(about["run"]), path)
    live = _tensors(state, generator)
    _check_same_model(live, saved, path)
    generator.set_state(saved.pop("generator"))
    state.step, state.loss = int(about["step"]), float(about["loss"])
    with torch.inference_mode(False), torch.no_grad():
        for name, value in saved.items():
            live[name].copy_(value)


def _tensors(
    state: TrainingState, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return all that a run goes on from; but for the generator, live."""
    tensors = {"generator": generator.get_state()}
    for name, module in (("model", state.model), ("ema", state.ema)):
        for key, value in module.state_dict().items():
            tensors[f"{name}.{key}"] = value
    for name, p in state.model.named_parameters():
        for key, value in state.optimizer.state[p].items():
            tensors[f"adam.{name}.{key}"] = value
    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise ValueError(f"no file can hold {name}: it is no tensor")
    return tensors


@steady()
def _start_moments(adam: torch.optim.Optimizer) -> None:
    """Make Adam's moments, as its first step does for what has a gradient.

    So a checkpoint has the same tensors at every step, and of every model.
    """
    for group in adam.param_groups:
        for p in group["params"]:
            adam.state[p] = {
                "step": torch.zeros((), device=p.device),
                "exp_avg": torch.zeros_like(p),
                "exp_avg_sq": torch.zeros_like(p),
            }


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return a file's tensors and words, both as they were saved.

    It is read whole and closed: a mapped file could not be replaced, on
    Windows, and would change under the run.
    """
    content = path.read_bytes()
    try:
        tensors = from_bytes(content)
        end = 8 + int.from_bytes(content[:8], "little")
        about = json.loads(content[8:end]).get("__metadata__", {})
    except Exception as error:  # a broken file can raise anything
        raise ValueError(
            f"{path} is not a whole safetensors file: {error}"
        ) from None
    if about.get("format") != FORMAT:
        raise ValueError(f"{path} is not a checkpoint of diffusion_lite")
    if about.pop("sha256", "") != _digest(tensors, about):
        raise ValueError(f"{path} has changed since it was saved")
    return tensors, about


def _check_same_run(
    run: Run, saved: dict[str, object], path: str | Path
) -> None:
    other = [
        f"{key} was {saved.get(key)}, now {value}"
        for key, value in asdict(run).items()
        if saved.get(key) != value
    ]
    if other:
        raise ValueError(f"{path} is of another run: {'; '.join(other)}")


def _check_same_model(
    live: dict[str, Tensor], saved: dict[str, Tensor], path: str | Path
) -> None:
    have, read = (
        {key: _form(value) for key, value in each.items()}
        for each in (live, saved)
    )
    for key in have | read:
        if have.get(key) != read.get(key):
            raise ValueError(
                f"{path} is of another model: {key} is "
                f"{read.get(key, 'missing')} in the file, "
                f"{have.get(key, 'missing')} in the model"
            )


def _form(x: Tensor) -> str:
    return f"{tuple(x.shape)} {x.dtype}".replace(" torch.float32", "")


def _describe(given: object) -> str:
    """Return a loss in words that are the same in every session."""
    given = _parts(given)
    if isinstance(given, partial):
        words = [f"{k}={_describe(v)}" for k, v in given.keywords.items()]
        words = [*map(_describe, given.args), *words]
        return f"{_describe(given.func)}({', '.join(words)})"
    if isinstance(given, list | tuple):
        return f"[{', '.join(map(_describe, given))}]"
    if isinstance(given, Tensor):
        return f"Tensor {_hash(given)}"
    if isinstance(given, bool | int | float | str | torch.dtype | None):
        return repr(given)
    return getattr(given, "__qualname__", type(given).__qualname__)


def _parts(given: object) -> object:
    """Return what a thing is made of, where that can be told."""
    if isinstance(given, Schedule):
        return Schedule.__name__, given.beta
    if isinstance(given, nn.Module):
        return type(given).__name__, *given.state_dict().values()
    if isinstance(given, np.ndarray | np.generic):
        return given.tolist()
    return list(given.items()) if isinstance(given, dict) else given


def _hash(*tensors: Tensor, words: object = "") -> str:
    total = hashlib.sha256(repr(words).encode())
    for x in tensors:
        total.update(_form(x).encode())
        x = x.detach().cpu().contiguous().flatten()
        total.update(x.view(torch.uint8).numpy().tobytes())
    return total.hexdigest()[:16]


def _digest(tensors: dict[str, Tensor], about: dict[str, str]) -> str:
    """Return the hash of a file's content, in whatever order it came."""
    names = sorted(tensors)
    words = [names, sorted(about.items())]
    return _hash(*(tensors[name] for name in names), words=words)


def _precision() -> str:
    """Return how float32 is multiplied, as torch and the system were told."""
    told = [
        f"{name} {attrgetter(name)(torch.backends).fp32_precision}"
        for name in ("cuda.matmul", "cudnn.conv", "mkldnn.matmul")
    ]
    said = [f"{k}={os.environ[k]}" for k in PRECISION if k in os.environ]
    return ", ".join(told + said).replace("none", "ieee")


# ---- several processes ------------------------------------------------------


def _rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def _processes() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def _join_processes(batch_size: int) -> None:
    """Meet the other processes, if torchrun has started any."""
    if distributed.is_available() and distributed.is_torchelastic_launched():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        if not distributed.is_initialized():
            distributed.init_process_group()
    if batch_size % _processes():
        raise ValueError(
            "batch_size must be a multiple of the number of processes "
            f"({_processes()}), got {batch_size}"
        )


@contextmanager
def _shared(
    loss: Callable[..., Tensor], model: nn.Module, generator: torch.Generator
) -> Iterator[Callable[..., Tensor]]:
    """Give the loss a model that several processes evaluate together.

    All processes draw the same batch and compute the same loss of it, each
    with gradients for its own share; the shares' gradients are then added.
    So n processes take the very step that one would.
    """
    if _processes() == 1:
        yield loss
        return
    state = generator.get_state()
    for x in [*model.state_dict().values(), state]:
        distributed.broadcast(x, 0)
    generator.set_state(state)
    hooks = [
        p.register_post_accumulate_grad_hook(_add_up)
        for p in model.parameters()
    ]
    try:
        yield lambda model, *rows, generator: loss(
            partial(_evaluate, model), *rows, generator=generator
        )
    finally:
        for hook in hooks:
            hook.remove()


def _add_up(p: Tensor) -> None:
    distributed.all_reduce(p.grad)


def _evaluate(model: nn.Module, *args: Tensor, **kwargs: Tensor) -> Tensor:
    """Return model(...), this process's rows with a gradient."""
    n, rank = _processes(), _rank()
    mine = model(
        *(x[rank::n] for x in args),
        **{key: x[rank::n] for key, x in kwargs.items()},
    )
    parts = [torch.empty_like(mine) for _ in range(n)]
    distributed.all_gather(parts, mine.detach().contiguous())
    parts[rank] = mine
    return torch.stack(parts, 1).flatten(0, 1)
