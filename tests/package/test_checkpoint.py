"""Long runs: they stop and go on exactly, and refuse what is not theirs."""

import errno
import os
import signal
import threading
from functools import partial

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


def test_a_checkpoint_without_its_moments_is_refused(checkpoint):
    with module.safe_open(checkpoint, framework="pt") as file:
        about = file.metadata()
    tensors = load_file(checkpoint)
    del tensors["adam.first.weight.exp_avg"]
    save_file(tensors, checkpoint, metadata=about)
    refuse(checkpoint, "adam.first.weight.exp_avg is missing in")


def test_a_checkpoint_with_a_broken_generator_is_refused(checkpoint):
    with module.safe_open(checkpoint, framework="pt") as file:
        about = file.metadata()
    tensors = load_file(checkpoint)
    tensors["generator"] = torch.zeros_like(tensors["generator"])
    save_file(tensors, checkpoint, metadata=about)
    refuse(checkpoint, "has a broken generator")


def test_a_checkpoint_that_does_not_say_where_it_stands_is_refused(checkpoint):
    tensors = load_file(checkpoint)
    save_file(tensors, checkpoint, metadata={"format": module.FORMAT})
    refuse(checkpoint, "is not a checkpoint of diffusion_lite")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 13}, "another run: steps was 12, now 13"),
        ({"batch_size": 16}, "batch_size was 32, now 16"),
        ({"lr": 1e-3}, "lr was 0.01, now 0.001"),
        ({"data": (DATA, torch.zeros(256).long())}, "data was .*, now"),
        ({"data": DATA + 1}, "data was .*, now"),
        (
            {"loss": partial(denoising_loss, schedule=linear_schedule(50))},
            "loss was .*Schedule .*, now",
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
    with pytest.raises(ValueError, match="got steps = 0"):
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
