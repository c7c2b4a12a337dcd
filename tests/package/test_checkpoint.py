"""Long runs: they stop and go on exactly, and refuse what is not theirs."""

import errno
import os
import signal
import threading
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


def mlp(width=16):
    torch.manual_seed(1)
    return MLP(width=width)


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
    refuse(
        checkpoint, r"another model: model.*is \(16, 32\) in", mlp(width=24)
    )
    refuse(checkpoint, "missing in the file", MLP(width=16, depth=4))
    refuse(checkpoint, "missing in the model", MLP(width=16, depth=2))


def rewritten(path, change):
    """Write the file again with this done to its tensors and its words."""
    tensors, about = module._read(path)
    change(tensors, about)
    about["sha256"] = module._digest(tensors, about)
    save_file(tensors, path, metadata=about)


def test_a_checkpoint_without_its_moments_is_refused(checkpoint):
    name = "adam.first.weight.exp_avg"
    rewritten(checkpoint, lambda tensors, _: tensors.pop(name))
    refuse(checkpoint, f"{name} is missing in")


def test_a_checkpoint_of_another_dtype_is_refused(checkpoint):
    def double(tensors, _):
        tensors["model.first.bias"] = tensors["model.first.bias"].double()

    rewritten(checkpoint, double)
    refuse(
        checkpoint, r"model.first.bias is \(16,\) torch.float64 in the file"
    )


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
            "loss was .*Schedule.*, now",
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
    path, never_stopped, calls = tmp_path / "run", whole(), []

    def pressed_in_the_middle(*args, **kwargs):
        calls.append(args)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return LOSS(*args, **kwargs)

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
    last(run(path, resumed, loss=pressed_in_the_middle))
    assert same_weights(resumed, never_stopped.model)


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


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: WithMore({"a": 1}), "no file can hold model._extra_state"),
        (lambda: line(torch.complex64), "weight is on cpu, torch.complex64"),
        (lambda: line(device="meta"), "weight is on meta"),
        (lambda: torch.nn.LazyLinear(2), "weights that can learn"),
        (inference_line, "weights that can learn"),
        (lambda: print, "model must be a Module, got builtin_function"),
    ],
)
def test_a_model_that_cannot_be_saved_is_refused_at_once(
    model, message, tmp_path
):
    lost(tmp_path / "run", message, model=model())


def test_a_buffer_that_no_file_can_hold_is_refused_at_once(tmp_path):
    model = mlp()
    model.register_buffer("phase", torch.ones(2, dtype=torch.complex128))
    lost(tmp_path / "run", "no file can hold this run", model=model)


def test_a_place_that_takes_no_file_is_refused_at_once(tmp_path, monkeypatch):
    lost(tmp_path / "none" / "run", "there is no folder", OSError)
    (tmp_path / "file").write_text("")
    lost(tmp_path / "file" / "run", "there is no folder", OSError)
    lost(tmp_path / (252 * "x"), "File name too long", OSError)
    (tmp_path / "inner").mkdir()
    lost(tmp_path / "inner", "directory", OSError)

    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    lost(tmp_path / "run", "No space left", OSError)


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


NUMBERS = {
    "NumPy's": (np.int64(STEPS), np.int32(32), np.float64(1e-2)),
    "NumPy's small ones": (np.uint8(STEPS), np.array(32), np.array(1e-2)),
    "torch's": (torch.tensor(STEPS), torch.tensor(32), 1e-2),
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
    live = module._tensors(state, torch.Generator())
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


def test_a_loss_is_told_from_another_by_all_it_was_given(tmp_path):
    describe = module._describe
    net, other = line(), line()
    different = [
        partial(error, [1, 2]),
        partial(error, [1, 3]),
        partial(error, {"a": 1}),
        partial(error, {"a": np.ones(2)}),
        partial(error, {"a": np.zeros(2)}),
        partial(error, x=torch.ones(2)),
        partial(error, x=torch.ones(2).double()),
        partial(error, net),
        partial(error, other),
        partial(partial(error, net), 1),
        partial(error, SCHEDULE),
        partial(error, linear_schedule(50)),
        partial(error, torch.float64),
        error,
        LOSS,
    ]
    words = [describe(each) for each in different]
    assert len(set(words)) == len(words)
    assert " at 0x" not in "".join(words)
    assert describe(partial(error, np.float64(2))) == "error(2.0)"


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
    right = module._tensors(whole_file, generator)
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
            live = module._tensors(state, generator)
            assert all(torch.equal(live[k], right[k]) for k in right)
            assert (state.step, state.loss) == (5, whole_file.loss)
            model = mlp()
        assert checkpoint.read_bytes() == mutation
    assert refused > 0.9 * n
