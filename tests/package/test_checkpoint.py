"""Long runs: they stop and go on exactly, and refuse what is not theirs."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from diffusion_lite import checkpoint as module
from diffusion_lite.checkpoint import long_run
from diffusion_lite.data import eight_modes
from diffusion_lite.elbo import denoising_loss
from diffusion_lite.networks import MLP
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from diffusion_lite.training import last, train

SCHEDULE = cosine_schedule(50)
DATA = eight_modes().sample(256, generator=torch.Generator().manual_seed(3))
STEPS = 12
LOSS = partial(denoising_loss, schedule=SCHEDULE)


def mlp(width=16, depth=3):
    torch.manual_seed(1)
    return MLP(width=width, depth=depth)


def options(**changes):
    return {
        "steps": STEPS,
        "batch_size": 32,
        "lr": 1e-2,
        "generator": torch.Generator().manual_seed(2),
    } | changes


def run(path, model, loss=LOSS, data=DATA, **changes):
    """Start the small long run that most tests here look at."""
    return long_run(path, model, loss, data, **options(**changes))


def whole():
    """Return the last state of the run that never stopped."""
    return last(train(mlp(), LOSS, DATA, **options()))


def stopped(path, step, model=None):
    """Leave a run after a step; its checkpoint is at path."""
    states = run(path, model or mlp())
    for state in states:
        if state.step == step:
            break
    states.close()
    return state


def same_weights(a, b):
    pairs = zip(a.state_dict().items(), b.state_dict().items(), strict=True)
    return all(k == m and torch.equal(x, y) for (k, x), (m, y) in pairs)


@pytest.mark.parametrize("stop", [1, 7, STEPS])
def test_a_run_goes_on_bit_for_bit(stop, tmp_path):
    path, never_stopped = tmp_path / "run.safetensors", whole()
    stopped(path, stop)
    torch.manual_seed(7)
    other = MLP(width=16)  # other weights: all must come from the file
    generator = torch.Generator().manual_seed(99)
    states = [s.step for s in run(path, other, generator=generator)]
    assert states == list(range(stop, STEPS + 1))
    assert same_weights(other, never_stopped.model)


def test_a_finished_run_is_yielded_once(tmp_path):
    path, never_stopped = tmp_path / "run.safetensors", whole()
    assert last(run(path, mlp())).step == STEPS
    (state,) = run(path, mlp())
    assert state.step == STEPS
    assert state.loss == never_stopped.loss
    assert same_weights(state.ema, never_stopped.ema)
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def test_a_long_run_is_saved_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAVE_EVERY", 5)
    path = tmp_path / "run.safetensors"
    states = run(path, mlp())
    for state in states:
        assert path.exists() == (state.step >= 5)
        if state.step == 6:
            break


def refuse(path, message, model=None, **changes):
    """A run must fail with the message, and leave the model alone."""
    model = model or mlp()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        run(path, model, **changes)
    assert all(
        torch.equal(before[k], v.cpu()) for k, v in model.state_dict().items()
    )


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"
    stopped(path, 5)
    return path


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_checkpoint_is_refused(checkpoint, share):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(share * len(content))])
    refuse(checkpoint, "is not a whole safetensors file")


def test_a_foreign_file_is_refused(checkpoint):
    save_file({"x": torch.ones(1)}, checkpoint)
    refuse(checkpoint, "is not a checkpoint of diffusion_lite")
    torch.save(mlp().state_dict(), checkpoint)
    refuse(checkpoint, "is not a whole safetensors file")


def test_a_checkpoint_of_another_model_is_refused(checkpoint):
    narrow, more, less = mlp(width=24), mlp(depth=4), mlp(depth=2)
    refuse(checkpoint, r"another run: model was MLP .*, now MLP", narrow)
    refuse(checkpoint, r"model.*weight was \(16, 32\), now \(24, 32", narrow)
    refuse(checkpoint, "layers.3.*weight was missing, now", more)
    refuse(checkpoint, "layers.2.* was .*, now missing", less)


def rewritten(path, change):
    """Write the file again with this done to its tensors and its words."""
    tensors, about = module._read(path)
    change(tensors, about)
    about["sha256"] = module._digest(tensors, about)
    save_file(tensors, path, metadata=about)


def test_a_checkpoint_without_its_moments_is_refused(checkpoint):
    name = "adam.first.weight.exp_avg"
    rewritten(checkpoint, lambda tensors, _: tensors.pop(name))
    refuse(checkpoint, f"{name} was missing, now")


def test_a_checkpoint_of_another_dtype_is_refused(checkpoint):
    def double(tensors, _):
        tensors["model.first.bias"] = tensors["model.first.bias"].double()

    rewritten(checkpoint, double)
    named = r"model.first.bias was \(16,\) torch.float64, now \(16,\)"
    refuse(checkpoint, named)


def test_a_checkpoint_that_was_changed_is_refused(checkpoint):
    tensors, about = load_file(checkpoint), module._read(checkpoint)[1]
    save_file(tensors, checkpoint, metadata={"format": module.FORMAT} | about)
    refuse(checkpoint, "has changed since it was saved")
    save_file(tensors, checkpoint, metadata={"format": module.FORMAT})
    refuse(checkpoint, "has changed since it was saved")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 13}, "another run: steps was 12, now 13"),
        ({"batch_size": 16}, "batch_size was 32, now 16"),
        ({"lr": 1e-3}, "lr was 0.01, now 0.001"),
        ({"data": (DATA, torch.zeros(256).long())}, "data was .*, now"),
        ({"data": DATA + 1}, "data was .*, now"),
        ({"data": DATA[:, [1, 0]]}, "data was .*, now"),
        (
            {"loss": partial(denoising_loss, schedule=linear_schedule(50))},
            "loss was denoising_loss .*, now denoising_loss",
        ),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(checkpoint, change, message):
    refuse(checkpoint, message, **change)


def test_a_full_disk_leaves_the_old_checkpoint(checkpoint, monkeypatch):
    content = checkpoint.read_bytes()

    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        last(run(checkpoint, mlp()))
    assert checkpoint.read_bytes() == content
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


# ---- Ctrl-C ----------------------------------------------------------------


def test_ctrl_c_waits_for_the_end_of_the_step(tmp_path):
    path, never_stopped = tmp_path / "run", whole()
    pressed_in_the_middle = at_call(5, os.kill, os.getpid(), signal.SIGINT)

    # pytest's own worker processes ignore Ctrl-C; Python's default does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    states = run(path, mlp(), loss=pressed_in_the_middle)
    state = next(states)
    with pytest.raises(KeyboardInterrupt):
        last(states)
    handler = signal.signal(signal.SIGINT, before)
    assert handler is signal.default_int_handler
    # The fifth step was finished and saved, and the run goes on from there.
    assert state.step == 5
    resumed = mlp()
    last(run(path, resumed, loss=at_call(0, print)))
    assert same_weights(resumed, never_stopped.model)


def at_call(n, what, *given):
    """Return LOSS, but with this done in its nth call.

    What it counts and does is kept out of what the loss is made of.
    """
    NOTED.update(left=n, act=lambda: what(*given))

    def loss(*args, **kwargs):
        value = LOSS(*args, **kwargs)
        NOTED["left"] -= 1
        if NOTED["left"] == 0:
            NOTED["act"]()
        return value

    return loss


NOTED = {}


def no_memory():
    raise MemoryError


class WithState(MLP):
    """A network whose forward changes buffers, one kept out of its state."""

    def __init__(self):
        torch.manual_seed(1)
        super().__init__(width=16)
        self.norm = torch.nn.BatchNorm1d(2)
        self.register_buffer("mean", torch.zeros(2), persistent=False)

    def forward(self, x_t, t):
        self.mean += x_t.mean(0)
        return super().forward(self.norm(x_t) + self.mean / 100, t)


@pytest.mark.parametrize("error", [MemoryError, OSError("disk"), SystemExit])
def test_a_run_that_fails_is_saved_as_before_the_failing_step(tmp_path, error):
    path, never_stopped = tmp_path / "run", WithState()
    last(train(never_stopped, LOSS, DATA, **options()))

    def fail():
        raise error

    with pytest.raises(type(error()) if callable(error) else type(error)):
        last(run(path, WithState(), loss=at_call(8, fail)))
    resumed = WithState()
    states = run(path, resumed, loss=at_call(0, print))
    assert next(states).step == 7
    last(states)
    assert same_weights(resumed, never_stopped)
    assert torch.equal(resumed.mean, never_stopped.mean)


def test_what_is_sampled_between_steps_is_sampled_again(tmp_path):
    path, ends = tmp_path / "run", []
    for stop in (STEPS, 6, STEPS):  # at once; and in two parts
        model, generator = mlp(), torch.Generator().manual_seed(2)
        states = run(path, model, generator=generator)
        for state in states:
            torch.rand(3, generator=generator)
            if state.step == stop:
                break
        states.close()
        ends.append(model)
        if len(ends) == 1:
            path.unlink()
    assert same_weights(ends[0], ends[2])


def test_a_later_step_is_never_replaced_by_an_earlier_one(tmp_path):
    path, runs = tmp_path / "run", [run(tmp_path / "run", mlp()), None]
    runs[1] = run(path, mlp())
    for states, step in zip(runs, (9, 4), strict=True):
        next(s for s in states if s.step == step)
    for states in runs:
        states.close()
    assert next(run(path, mlp())).step == 9


def test_files_of_others_stay(tmp_path):
    (tmp_path / "run.part").write_text("mine")
    last(run(tmp_path / "run", mlp()))
    assert (tmp_path / "run.part").read_text() == "mine"
    last(run(tmp_path / (255 * "x"), mlp()))
    assert len(list(tmp_path.iterdir())) == 3


def test_a_long_run_works_outside_the_main_thread(tmp_path):
    seen = []
    thread = threading.Thread(
        target=lambda: seen.append(last(run(tmp_path / "run", mlp())))
    )
    thread.start()
    thread.join()
    assert same_weights(seen[0].model, whole().model)


def test_bad_arguments_are_named_before_the_first_step(tmp_path):
    with pytest.raises(ValueError, match=r"steps must be .* got 0"):
        run(tmp_path / "run", mlp(), steps=0)


class WithSpares(MLP):
    """A network with a frozen parameter, and with one that nothing uses."""

    def __init__(self):
        torch.manual_seed(1)
        super().__init__(width=16)
        self.first.bias.requires_grad_(False)
        self.spare = torch.nn.Parameter(torch.ones(3))


def test_frozen_and_unused_parameters_come_back(tmp_path):
    path, never_stopped = tmp_path / "run", WithSpares()
    last(train(never_stopped, LOSS, DATA, **options()))
    stopped(path, 5, WithSpares())
    resumed = WithSpares()
    last(run(path, resumed))
    assert same_weights(resumed, never_stopped)


# ---- what a file cannot hold, or a folder not take, is known before step 1 --


def never_called(*_, **__):
    pytest.fail("a step was taken")


def lost(path, message, error=ValueError, **changes):
    """The run must be refused before its first step, and leave no file."""
    before = set(path.parent.iterdir()) if path.parent.is_dir() else set()
    arguments = {"model": mlp(), "loss": never_called} | changes
    with pytest.raises(error, match=message):
        run(path, **arguments)
    after = set(path.parent.iterdir()) if path.parent.is_dir() else set()
    assert after == before


class WithMore(MLP):
    """A network with something beside its weights."""

    def __init__(self, more):
        super().__init__(width=16)
        self.more = more

    def get_extra_state(self):
        return self.more


def line(dtype=torch.float32, device="cpu"):
    return torch.nn.Linear(2, 2, dtype=dtype, device=device)


def inference_line():
    with torch.inference_mode():
        return line()


class Held(torch.nn.Module):
    def __init__(self, x):
        super().__init__()
        self.line, self.x = line(), x


def holding(kind, x):
    return Held(kind(x))


def whole_parameter(x):
    return torch.nn.Parameter(x, requires_grad=False)


EXPANDED, SPARSE = torch.ones(2, 1).expand(2, 2), torch.eye(2).to_sparse()
META, COMPLEX = (
    torch.ones(2, device="meta"),
    torch.ones(2).to(torch.complex128),
)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: WithMore({"a": 1}), "hold this model: _extra_state is no te"),
        (lambda: line(torch.complex64), "got Linear: .* no complex weight"),
        (lambda: line(device="meta"), "got Linear: Cannot copy out of meta"),
        (lambda: torch.nn.LazyLinear(2), "got LazyLinear: .* uninitialized"),
        (inference_line, "got Linear: Inplace update to inference tensor"),
        (lambda: print, "model must be a Module .* got builtin_function"),
        (lambda: torch.nn.ReLU(), "got ReLU: optimizer got an empty param"),
        (lambda: torch.nn.utils.weight_norm(line()), "got Linear: Only Ten"),
        (lambda: torch.jit.script(line()), "got RecursiveScriptModule: "),
        (lambda: holding(torch.nn.Parameter, EXPANDED), "got Held: .* single"),
        (lambda: holding(torch.nn.Parameter, SPARSE), "got Held: "),
        (lambda: holding(whole_parameter, torch.arange(2)), "got Held: "),
        (lambda: holding(torch.nn.Buffer, EXPANDED), "got Held: .* single"),
        (lambda: holding(torch.nn.Buffer, SPARSE), "hold this model: "),
        (lambda: holding(torch.nn.Buffer, META), "got Held: Cannot copy out"),
        (lambda: holding(torch.nn.Buffer, COMPLEX), "hold this model: torch"),
        (lambda: holding(torch.abs, line().weight), "got Held: Only Tensors"),
    ],
)
def test_a_model_that_cannot_be_saved_is_refused_at_once(
    model, message, tmp_path
):
    lost(tmp_path / "run", message, model=model())


def test_a_place_that_takes_no_file_is_refused_at_once(tmp_path, monkeypatch):
    lost(tmp_path / "none" / "run", "there is no folder", OSError)
    (tmp_path / "file").write_text("")
    lost(tmp_path / "file" / "run", "there is no folder", OSError)
    lost(tmp_path / (256 * "x"), "File name too long", OSError)
    (tmp_path / "inner").mkdir()
    lost(tmp_path / "inner", "is a directory", OSError)
    os.mkfifo(tmp_path / "pipe")
    lost(tmp_path / "pipe", "or another thing that is no file", OSError)

    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    lost(tmp_path / "run", "No space left", OSError)


class Secretive:
    """A loss whose settings nobody can list."""

    def __call__(self, model, x, generator):
        return error(model, x, generator)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": "2"}, "steps must be a whole number, at least 1, got '2'"),
        ({"steps": True}, "got True"),
        ({"batch_size": 4.0}, "batch_size must be .* got 4.0"),
        ({"batch_size": torch.tensor(4.0)}, "batch_size must be"),
        ({"lr": "0.1"}, "lr must be a number, .* got '0.1'"),
        ({"lr": 1j}, "lr must be a number"),
        ({"generator": None}, "torch.Generator on the CPU, .* got None"),
        ({"generator": 3}, "torch.Generator on the CPU, .* got 3"),
        ({"loss": "mse"}, "loss must be a function of .* got str"),
        ({"batch_size": 2**64}, "batch_size must be at most 2147483648"),
        ({"batch_size": 10**12}, "at most .* got 1000000000000"),
        ({"data": [DATA]}, "data must be a tensor .* got list"),
        ({"data": ()}, "data must be a tensor"),
        ({"data": DATA.numpy()}, "got ndarray"),
        ({"data": DATA.sum()}, "data must be a batch"),
        ({"data": (DATA, DATA[0, 0])}, r"torch.float64 of shape \(\)"),
        ({"data": DATA * 1e300}, "data must be finite"),
        (
            {"data": torch.utils.data.DataLoader(DATA)},
            "data must be a tensor .* got DataLoader",
        ),
    ],
)
def test_what_no_run_takes_is_refused_at_once(change, message, tmp_path):
    lost(tmp_path / "run", message, **change)
    with pytest.raises(ValueError, match=message):
        train(mlp(), **({"loss": LOSS, "data": DATA} | options() | change))


@pytest.mark.parametrize(
    ("loss", "given"),
    [
        (Secretive(), "Secretive"),
        (Secretive().__call__, "method"),
        (partial(LOSS, k=deque()), "deque"),
    ],
)
def test_a_loss_that_is_told_by_no_words_is_refused(loss, given, tmp_path):
    words = f"a loss must be a function, with partial if .* got {given} in it"
    lost(tmp_path / "run", words, loss=loss)


NUMBERS = {
    "NumPy's": (np.int64(STEPS), np.int32(32), np.float64(1e-2)),
    "NumPy's small ones": (np.uint8(STEPS), np.array(32), np.array(1e-2)),
    "torch's": (torch.tensor(STEPS), torch.tensor(32), torch.tensor(1e-2)),
    "single ones": (STEPS, 32, np.float32(1e-2)),
    "double": (STEPS, 32, torch.tensor(1e-2, dtype=torch.float64)),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_run_may_have_any_kind_of_number(kind, tmp_path):
    names = "steps", "batch_size", "lr"
    given = dict(zip(names, NUMBERS[kind], strict=True))
    stopped(tmp_path / "run", 5)  # with Python's: it must be the same run
    model = mlp()
    assert last(run(tmp_path / "run", model, **given)).step == STEPS
    assert same_weights(model, whole().model)


# ---- every kind of weight comes back ----------------------------------------


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        self.last.weight = self.first.weight

    def forward(self, x):
        return self.last(self.first(x).tanh())


def now_and_then():
    """Return a network whose second layer is used in every third step only."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Linear(4, 2))
    calls = []

    def forward(x, first=net[0], second=net[1]):
        calls.append(x)
        h = first(x)
        return second(h) if len(calls) % 3 == 0 else h[:, :2]

    net.forward = forward
    return net


def transposed():
    net = line()
    net.weight = torch.nn.Parameter(torch.ones(2, 2).mT)
    return net


def frozen():
    net = torch.nn.Sequential(line(), line())
    net[0].requires_grad_(False)
    return net


KINDS = {
    "batch norm": lambda: torch.nn.Sequential(
        line(), torch.nn.BatchNorm1d(2), line()
    ),
    "tied": Tied,
    "not contiguous": transposed,
    "frozen": frozen,
    "with an empty weight": lambda: torch.nn.ParameterDict(
        {"none": torch.ones(0, 3), "w": torch.ones(2, 2)}
    ),
    "bfloat16": lambda: line(torch.bfloat16),
    "float16": lambda: line(torch.float16),
    "float64": lambda: line(torch.float64),
    "weight norm": lambda: torch.nn.utils.parametrizations.weight_norm(line()),
}


def error(model, x, generator):
    """Return how far the model is from turning points over."""
    if isinstance(model, torch.nn.ParameterDict):
        return (x.float() @ model["w"] + x).square().mean()
    dtype = next(model.parameters()).dtype
    return (model(x.to(dtype)) + x).square().mean()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_weight_is_saved_and_comes_back(kind, tmp_path):
    def new():
        torch.manual_seed(5)
        return KINDS[kind]()

    never_stopped = new()
    last(train(never_stopped, error, DATA, **options()))
    states = run(tmp_path / "run", new(), loss=error)
    state = next(s for s in states if s.step == 5)
    states.close()
    assert state.step == 5
    resumed = new()
    done = last(run(tmp_path / "run", resumed, loss=error))
    assert same_weights(resumed, never_stopped)
    (again,) = run(tmp_path / "run", new(), loss=error)
    assert same_weights(again.ema, done.ema)
    assert again.loss == done.loss


def test_a_weight_may_have_a_gradient_at_some_steps_only(tmp_path):
    torch.manual_seed(5)
    model = now_and_then()
    states = run(tmp_path / "run", model, loss=error)
    state = next(s for s in states if s.step == 7)
    moments = state.optimizer.state[model[1].weight]
    assert float(moments["step"]) == 2
    kept = moments["exp_avg"].clone()
    states.close()
    resumed = next(run(tmp_path / "run", now_and_then(), loss=error))
    (group,) = resumed.optimizer.param_groups
    moments = resumed.optimizer.state[group["params"][2]]
    assert torch.equal(moments["exp_avg"], kept)
    assert float(moments["step"]) == 2


def test_a_loaded_file_may_be_overwritten_or_cut(checkpoint):
    state = next(run(checkpoint, mlp()))
    live = module._tensors(state, torch.zeros(1))
    kept = {name: value.clone() for name, value in live.items()}
    with checkpoint.open("r+b") as file:
        file.write(checkpoint.stat().st_size * b"x")
        file.truncate(10)
    assert all(torch.equal(live[name], kept[name]) for name in kept)
    maps = Path("/proc/self/maps")
    assert not maps.exists() or checkpoint.name not in maps.read_text()


def test_a_finished_run_needs_no_place_to_write(tmp_path, monkeypatch):
    path = tmp_path / "run"
    last(run(path, mlp()))

    def never(*_):
        pytest.fail("something was written")

    monkeypatch.setattr(module, "_written", never)
    (state,) = run(path, mlp())
    assert state.step == STEPS
    states = run(path, mlp())
    next(states)
    states.close()  # left at once: there is nothing new


def test_a_run_keeps_its_place_when_the_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    states = run("run", mlp())
    next(states)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    last(states)
    assert (tmp_path / "run").exists()


def scaled(scale):
    return lambda model, x, generator: scale * error(model, x, generator)


# Each is another loss than all the others.
LOSSES = {
    "a list": lambda: partial(error, [1, 2]),
    "another list": lambda: partial(error, [1, 3]),
    "a dict": lambda: partial(error, {"a": 1}),
    "an array": lambda: partial(error, {"a": np.ones(2)}),
    "another array": lambda: partial(error, {"a": np.zeros(2)}),
    "a tensor": lambda: partial(error, x=torch.ones(2)),
    "a double": lambda: partial(error, x=torch.ones(2).double()),
    "a partial": lambda: partial(partial(error, 2), 1),
    "a schedule": lambda: partial(error, SCHEDULE),
    "another schedule": lambda: partial(error, linear_schedule(50)),
    "a dtype": lambda: partial(error, torch.float64),
    "a set": lambda: partial(error, k={"1", "2"}),
    "another set": lambda: partial(error, k={"1", "3"}),
    "complex": lambda: partial(error, k=1 + 2j),
    "another complex": lambda: partial(error, k=2j),
    "a path": lambda: partial(error, k=Path("/a")),
    "another path": lambda: partial(error, k=Path("/b")),
    "a network": lambda: partial(error, k=filled(1)),
    "another network": lambda: partial(error, k=filled(2)),
    "a lambda": lambda: lambda model, x, generator: x[..., 0].sum(),
    "another lambda": lambda: lambda model, x, generator: x.mean(),
    "a closure": lambda: scaled(1.0),
    "another closure": lambda: scaled(100.0),
    "a function": lambda: error,
    "of torch": lambda: torch.square,
    "the usual": lambda: LOSS,
}
# Each is another model, its weights aside.
MODELS = {
    "a line": lambda: line(),
    "frozen": lambda: line().requires_grad_(False),
    "in evaluation": lambda: line().eval(),
    "ReLU": lambda: torch.nn.Sequential(line(), torch.nn.ReLU()),
    "Tanh": lambda: torch.nn.Sequential(line(), torch.nn.Tanh()),
    "a slope": lambda: torch.nn.Sequential(line(), torch.nn.LeakyReLU(0.1)),
}


def filled(value):
    net = line()
    for p in net.parameters():
        torch.nn.init.constant_(p, value)
    return net


def identities():
    losses = [module._described(make()) for make in LOSSES.values()]
    return losses + [module._model(make()) for make in MODELS.values()]


def test_a_run_is_told_from_another_by_what_it_is_made_of():
    words = identities()
    assert len(set(words)) == len(words)
    assert identities() == words  # of other objects, the same
    SCHEDULE.snr  # noqa: B018  # which is kept then
    assert identities() == words
    numbers = [partial(error, kind(2)) for kind in (float, np.float64)]
    assert len({*map(module._described, numbers)}) == 1


def test_a_run_is_the_same_in_another_session():
    program = "import test_checkpoint as t; print(*t.identities(), sep='\\n')"
    said = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in "12"
    ]
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == len(LOSSES) + len(MODELS)


# ---- what the process was told ----------------------------------------------


def test_lower_precision_is_another_run(checkpoint, monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    refuse(checkpoint, "precision was .*, now .*NVIDIA_TF32_OVERRIDE=1")
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        refuse(
            checkpoint,
            r"precision was cuda.matmul ieee.*, now cuda.matmul tf32",
        )
        torch.set_float32_matmul_precision("highest")
        assert next(run(checkpoint, mlp())).step == 5
    finally:
        torch.set_float32_matmul_precision(before)


# ---- fuzz -------------------------------------------------------------------


def mutated(content, random):
    """Return the bytes with one thing done to them."""
    content = bytearray(content)
    size = len(content)
    header = 8 + int.from_bytes(content[:8], "little")
    place = random.randrange(random.choice([8, header, size]))
    match random.randrange(6):
        case 0:
            content[place] ^= 1 << random.randrange(8)
        case 1:
            content[place:] = b""
        case 2:
            content[place:place] = random.randbytes(random.randrange(1, 9))
        case 3:
            del content[place : place + random.randrange(1, 9)]
        case 4:
            end = place + random.randrange(1, 64)
            content[place:end] = random.randbytes(len(content[place:end]))
        case 5:
            other = random.randrange(header)
            content[place : place + 16] = content[other : other + 16]
    return bytes(content)


@pytest.mark.parametrize(
    "n", [100, pytest.param(2000, marks=pytest.mark.slow)]
)
def test_a_mutated_checkpoint_is_refused_or_the_same(checkpoint, n):
    random, content = Random(0), checkpoint.read_bytes()
    generator = options()["generator"]
    whole_file = next(run(checkpoint, mlp(), generator=generator))
    right = module._tensors(whole_file, generator.get_state())
    model, refused = mlp(), 0
    fresh = {k: v.clone() for k, v in model.state_dict().items()}
    for _ in range(n):
        mutation = mutated(content, random)
        checkpoint.write_bytes(mutation)
        generator = options()["generator"]
        try:
            state = next(run(checkpoint, model, generator=generator))
        except ValueError:
            refused += 1
            now = model.state_dict()
            assert all(torch.equal(fresh[k], now[k]) for k in fresh)
            assert generator.initial_seed() == 2
        else:
            live = module._tensors(state, generator.get_state())
            assert all(torch.equal(live[k], right[k]) for k in right)
            assert (state.step, state.loss) == (5, whole_file.loss)
            model = mlp()
        assert checkpoint.read_bytes() == mutation
    assert refused > 0.9 * n
