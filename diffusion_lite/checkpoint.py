"""Long runs: saved and resumed, on a GPU, on several processes.

Around ``train`` for who needs it: it takes the very same steps.
"""

import hashlib
import json
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path
from types import BuiltinFunctionType, CodeType, EllipsisType, FunctionType
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor, distributed, nn

from diffusion_lite.arguments import described
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

FORMAT = "diffusion_lite checkpoint 4"
SAVE_EVERY = 1000
# Variables of the environment that make products of float32 less precise.
PRECISION = "NVIDIA_TF32_OVERRIDE", "ONEDNN_DEFAULT_FPMATH_MODE"
PLAIN = bool, int, float, complex, str, bytes, EllipsisType, Path, torch.dtype

Run = dict[str, Any]
"""What makes a run this run: a checkpoint of another is refused."""


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
    stopped: on the CPU, with as many threads and the same versions, bit for
    bit, where all that is random comes from the generator, and all that a
    step leaves behind lies in weights and buffers: attributes are not saved.
    Another loss, model or data is refused: of a model its layers count, of a
    function its code and what it was given, not what it looks up by name. A
    run that is done is yielded once. It is saved every SAVE_EVERY steps and
    however it ends; Ctrl-C waits for the end of a step. (After a ``break``,
    close an iterator that has a name.) Model and data go to ``device()``.
    Under ``torchrun`` each process evaluates the model on its share of every
    batch, if all that the loss does with it is to call it.

    Raises:
        FloatingPointError: as ``train``.
        OSError: the checkpoint cannot be read or written.
    """
    options = checked_options(loss, steps, batch_size, lr, generator)
    path = Path(path).expanduser().resolve()
    state = start(model, place=device())
    data = checked_data(data, model)
    run: Run = dict(zip(("steps", "batch_size", "lr"), options, strict=True))
    run |= {"loss": _described(loss), "data": _hash(*data)}
    run |= {"model": _model(model), "precision": _precision()}
    _join_processes(run["batch_size"])
    _resume(path, state, run, generator)
    data = tuple(x.to(device()) for x in data)
    return _saved_steps(path, state, run, loss, data, generator)


def _resume(
    path: Path, state: TrainingState, run: Run, generator: torch.Generator
) -> None:
    """Load the checkpoint, if there is one, and try that one can be saved."""
    _start_moments(state.optimizer)
    if path.exists():
        load_checkpoint(path, state, run, generator)
    if state.step < run["steps"] and _rank() == 0:
        with _written(path, _content(state, run, generator.get_state())):
            pass


def _saved_steps(
    path: Path,
    state: TrainingState,
    run: Run,
    loss: Callable[..., Tensor],
    data: tuple[Tensor, ...],
    generator: torch.Generator,
) -> Iterator[TrainingState]:
    arguments = run["steps"], run["batch_size"], run["lr"], generator
    saved, random = state.step, generator.get_state()
    try:
        yield state
        with _shared(loss, state.model, generator) as shared_loss:
            steps = training_steps(state, shared_loss, data, *arguments)
            while state.step < run["steps"]:
                with _whole_step():
                    next(steps)
                    random = generator.get_state()
                if state.step % SAVE_EVERY == 0:
                    save_checkpoint(path, state, run, random)
                    saved = state.step
                yield state
    finally:  # whatever it was that ended it
        if state.step > saved:
            save_checkpoint(path, state, run, random)


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
    path: Path, state: TrainingState, run: Run, random: Tensor
) -> None:
    """Write the state to a safetensors file, whole or not at all.

    The file is written beside its place and then moved there: a full disk
    or a crash leaves the old checkpoint as it was. A checkpoint of a later
    step of the run stays. Of several processes, the first one writes.
    ``random`` is the generator's state after the step.

    Raises:
        OSError: the file cannot be written.
    """
    with suppress(OSError, ValueError):
        about = _read(path)[1]
        if about["run"] == json.dumps(run) and int(about["step"]) > state.step:
            return
    if _rank() == 0:
        with _written(path, _content(state, run, random)) as part:
            part.replace(path)


def _content(state: TrainingState, run: Run, random: Tensor) -> bytes:
    try:
        tensors = {
            k: v.detach().cpu().clone(memory_format=torch.contiguous_format)
            for k, v in _tensors(state, random).items()
        }
        about = {"format": FORMAT, "run": json.dumps(run)}
        about |= {"step": str(state.step), "loss": repr(state.loss)}
        about["sha256"] = _digest(tensors, about)
        return to_bytes(tensors, about)
    except Exception as error:  # it raises whatever is under it
        raise ValueError(f"no file can hold this model: {error}") from error


@contextmanager
def _written(path: Path, content: bytes) -> Iterator[Path]:
    """Give a file with the content, beside the path, for as long as it takes.

    To be moved there, so that what is there changes at once or not at all.
    """
    part = path.with_name(f"{secrets.token_hex(8)}.part")  # nobody's yet
    if not part.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {part.parent}")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint(
    path: Path, state: TrainingState, run: Run, generator: torch.Generator
) -> None:
    """Bring state and generator to where the checkpoint was saved.

    Nothing is unpickled, and nothing is changed unless all of it fits.

    Raises:
        OSError: the file cannot be read.
    """
    saved, about = _read(path)
    live = _tensors(state, generator.get_state())
    had = json.loads(about["run"]) | {k: _form(x) for k, x in saved.items()}
    has = run | {k: _form(x) for k, x in live.items()}
    other = [
        f"{key} was {had.get(key, 'missing')}, now {has.get(key, 'missing')}"
        for key in dict.fromkeys([*has, *sorted(had)])
        if has.get(key) != had.get(key)
    ]
    if other:
        raise ValueError(f"{path} is of another run: {'; '.join(other[:4])}")
    generator.set_state(saved.pop("generator"))
    state.step, state.loss = int(about["step"]), float(about["loss"])
    with torch.inference_mode(False), torch.no_grad():
        for name, value in saved.items():
            live[name].copy_(value)
        buffers = zip(state.model.buffers(), state.ema.buffers(), strict=True)
        for buffer, kept in buffers:
            buffer.copy_(kept)


def _tensors(state: TrainingState, random: Tensor) -> dict[str, Tensor]:
    """Return all that a run goes on from; but for the generator's, live.

    The buffers are those that the mean has: after a step they are the
    model's, and a forward that fails has not changed them.
    """
    tensors = {"generator": random}
    for name, p in state.model.named_parameters():
        tensors[f"model.{name}"] = p
        for key, value in state.optimizer.state[p].items():
            tensors[f"adam.{name}.{key}"] = value
    ema = state.ema
    for name, x in (*ema.state_dict().items(), *ema.named_buffers()):
        if not isinstance(x, Tensor):
            raise ValueError(f"{name} is no tensor")
        tensors[f"ema.{name}"] = x
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
    if not path.is_file():  # a pipe would wait for ever
        raise OSError(
            f"{path} is a directory, or another thing that is no file"
        )
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


def _form(x: Tensor) -> str:
    return f"{tuple(x.shape)} {x.dtype}".replace(" torch.float32", "")


def _model(model: nn.Module) -> str:
    """Return what a model is made of, but for what its tensors hold."""
    modes = [m.training for m in model.modules()]
    learn = [p.requires_grad for p in model.parameters()]
    words = _hash(words=(repr(model), modes, learn))
    return f"{type(model).__name__} {words}"


def _described(given: object) -> str:
    """Return a loss in words that are the same in every session."""
    if isinstance(given, np.ndarray | np.generic):
        given = given.tolist()
    if given is None or isinstance(given, PLAIN):
        return repr(given)
    if isinstance(given, Tensor):
        return f"Tensor {_hash(given)}"
    if isinstance(given, nn.Module):
        return f"{_model(given)} {_hash(*given.state_dict().values())}"
    named = given.func if isinstance(given, partial) else given
    name = getattr(named, "__qualname__", type(named).__name__)
    if isinstance(given, type | BuiltinFunctionType):
        return name
    return f"{name} {_hash(words=[*map(_described, _parts(given))])}"


def _parts(given: object) -> Iterable[object]:
    """Return what a part of a loss was given, and its code if it has one."""
    if isinstance(given, partial):
        return given.func, given.args, given.keywords
    if isinstance(given, FunctionType):
        cells = [cell.cell_contents for cell in given.__closure__ or ()]
        return given.__code__, given.__defaults__, given.__kwdefaults__, *cells
    if isinstance(given, CodeType):
        return given.co_code, given.co_names, given.co_consts
    if isinstance(given, dict):
        return chain.from_iterable(given.items())
    if isinstance(given, list | tuple):
        return given
    if isinstance(given, set | frozenset):
        return sorted(given, key=repr)
    if isinstance(given, Schedule):
        return (given.beta,)
    raise ValueError(
        "a loss must be a function, with partial if it needs numbers, "
        f"tensors, schedules or modules; got {described(given)} in it"
    )


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
