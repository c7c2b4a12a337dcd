"""Training: it learns, it stops and goes on exactly, it fails clearly."""

import errno
import math
import os
import signal
import threading
from collections import deque

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffusion_lite import training
from diffusion_lite.data import eight_modes
from diffusion_lite.elbo import eps_error
from diffusion_lite.networks import MLP, UNet
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from diffusion_lite.training import (
    fit,
    learning_rate,
    load_checkpoint,
    optimizer_step,
    sample_batch,
    save_checkpoint,
    train,
)

SCHEDULE = cosine_schedule(50)
DATA = eight_modes().sample(256, generator=torch.Generator().manual_seed(3))
STEPS = 12


def mlp(width=16):
    torch.manual_seed(1)
    return MLP(width=width)


def run(model, **kwargs):
    """Start the small run that most tests here look at."""
    arguments = {
        "steps": STEPS,
        "batch_size": 32,
        "lr": 1e-2,
        "generator": torch.Generator().manual_seed(2),
    } | kwargs
    return train(model, DATA, SCHEDULE, **arguments)


def last(states):
    return deque(states, maxlen=1)[0]


def stop_at(step, states):
    for state in states:
        if state.step == step:
            return state
    raise AssertionError(f"never came to step {step}")


def same_weights(a, b):
    pairs = zip(a.state_dict().items(), b.state_dict().items(), strict=True)
    return all(k == m and torch.equal(x, y) for (k, x), (m, y) in pairs)


def test_train_yields_every_step_and_reports_where_it_stands():
    steps, losses = [], []
    for state in run(mlp()):
        steps.append(state.step)
        losses.append(state.loss)
    assert steps == list(range(1, STEPS + 1))
    assert all(math.isfinite(loss) for loss in losses)
    assert state.run.steps == STEPS


def test_the_same_seed_gives_the_same_bits():
    first, second = (last(run(mlp())) for _ in range(2))
    assert same_weights(first.model, second.model)
    other = last(run(mlp(), generator=torch.Generator().manual_seed(9)))
    assert not same_weights(first.model, other.model)


def test_every_parameter_moves():
    before = mlp().state_dict()
    after = last(run(mlp())).model.state_dict()
    for key, value in before.items():
        assert not torch.equal(value, after[key].cpu()), key


@pytest.mark.equation("eq-ema", oracle="a plain loop over the weights")
def test_ema_is_the_running_mean_of_the_weights():
    expected = None
    for state in run(mlp()):
        weights = state.model.first.weight.detach().clone()
        n = state.step - 1
        decay = min(training.EMA_DECAY, (1 + n) / (10 + n))
        if expected is None:
            expected = weights
        else:
            expected = decay * expected + (1 - decay) * weights
        ema = state.ema.module.first.weight
        torch.testing.assert_close(ema, expected)


@pytest.mark.equation("eq-learning-rate", oracle="its ends and its middle")
def test_learning_rate_rises_then_falls_to_nothing():
    rates = [learning_rate(step, 1000, 0.5) for step in range(1000)]
    assert rates[0] == pytest.approx(0.005)
    assert max(rates) == pytest.approx(0.5, rel=0.05)
    assert rates.index(max(rates)) == 99
    assert rates[-1] < 1e-5
    assert rates[550] == pytest.approx(0.25, rel=0.2)


def test_gradients_are_clipped():
    norms = []
    model = mlp()
    for state in run(model):
        total = sum(p.grad.square().sum() for p in model.parameters())
        norms.append(float(total.sqrt()))
        assert state.step
    assert max(norms) <= 1 + 1e-4
    assert max(norms) > 0.9  # the bound was felt


@pytest.mark.slow
def test_training_comes_close_to_the_floor():
    mixture, schedule = eight_modes(), cosine_schedule(50)
    data = mixture.sample(20_000, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    state = last(
        train(
            MLP(),
            data,
            schedule,
            steps=800,
            batch_size=512,
            lr=1e-2,
            generator=generator,
        )
    )
    assert excess(state.ema.cpu(), mixture, schedule, generator) < 0.006


def excess(eps_model, mixture, schedule, generator, n=2000):
    """Return the mean over t of E |eps_hat - E[eps | x_t]|^2 / D."""
    total = 0.0
    for t in range(1, schedule.T + 1):
        x_t = (
            mixture.noised(t, schedule).sample(n, generator=generator).float()
        )
        best = mixture.optimal_eps(x_t, t, schedule)
        with torch.no_grad():
            eps_hat = eps_model(x_t, torch.full((n,), t))
        total += float((eps_hat - best).square().mean())
    return total / schedule.T


def test_a_loss_above_the_floor_is_the_floor_plus_the_excess(generator):
    # The identity that the labs rely on, for a model that knows nothing.
    mixture, t, n = eight_modes(), 20, 100_000
    x_0 = mixture.sample(n, generator=generator)
    eps = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    loss = eps_error(lambda x_t, _: 0.5 * x_t, x_0, t, eps, SCHEDULE)
    floor, floor_error = mixture.bayes_loss(t, SCHEDULE, generator=generator)
    x_t = mixture.noised(t, SCHEDULE).sample(n, generator=generator)
    gap = (0.5 * x_t - mixture.optimal_eps(x_t, t, SCHEDULE)).square().mean(1)
    error = math.hypot(float(loss.std() / n**0.5), float(floor_error))
    error = math.hypot(error, float(gap.std() / n**0.5))
    assert abs(float(loss.mean() - floor - gap.mean())) < 4 * error


def test_labels_reach_the_model():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 1, 4, 4, generator=generator)
    torch.manual_seed(0)
    net = UNet(width=8, num_classes=2)
    before = net.label.weight.detach().clone()
    labels = torch.zeros(8).long()
    _ = last(
        train(
            net,
            images,
            SCHEDULE,
            steps=3,
            batch_size=4,
            lr=1e-2,
            generator=generator,
            labels=labels,
        )
    )
    moved = (net.label.weight.cpu() - before).abs().sum(1)
    assert moved[0] > 0 == moved[1]  # class 1 was never shown


# ---- stop and go on --------------------------------------------------------


@pytest.mark.parametrize("stop", [1, 7, STEPS])
def test_resume_is_bit_for_bit_the_uninterrupted_run(stop, tmp_path):
    path = tmp_path / "run.safetensors"
    whole = last(run(mlp()))
    save_checkpoint(stop_at(stop, run(mlp())), path)
    torch.manual_seed(7)
    other = MLP(width=16)  # other weights: all must come from the file
    generator = torch.Generator().manual_seed(99)
    states = list(run(other, resume=path, generator=generator))
    assert len(states) == STEPS - stop
    assert same_weights(other, whole.model)
    if states:
        assert same_weights(states[-1].ema, whole.ema)
        assert states[-1].loss == whole.loss
        assert states[-1].step == STEPS


def test_saving_does_not_disturb_the_run(tmp_path):
    plain = last(run(mlp()))
    for state in run(mlp()):
        save_checkpoint(state, tmp_path / "run.safetensors")
    assert same_weights(plain.model, state.model)
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def refuse(path, message, model=None, **kwargs):
    """Resume must fail with the message, and leave the model alone."""
    model = model or mlp()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        run(model, resume=path, **kwargs)
    assert all(
        torch.equal(before[k], v.cpu()) for k, v in model.state_dict().items()
    )


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"
    save_checkpoint(stop_at(5, run(mlp())), path)
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
    with training.safe_open(checkpoint, framework="pt") as file:
        about = file.metadata()
    tensors = load_file(checkpoint)
    del tensors["adam.first.weight.exp_avg"]
    save_file(tensors, checkpoint, metadata=about)
    refuse(checkpoint, "adam.first.weight.exp_avg is missing in")


def test_a_checkpoint_with_a_broken_generator_is_refused(checkpoint):
    with training.safe_open(checkpoint, framework="pt") as file:
        about = file.metadata()
    tensors = load_file(checkpoint)
    tensors["generator"] = torch.zeros_like(tensors["generator"])
    save_file(tensors, checkpoint, metadata=about)
    refuse(checkpoint, "has a broken generator")


def test_a_checkpoint_that_does_not_say_where_it_stands_is_refused(checkpoint):
    tensors = load_file(checkpoint)
    save_file(tensors, checkpoint, metadata={"format": training.FORMAT})
    refuse(checkpoint, "is not a checkpoint of diffusion_lite")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 13}, "another run: steps was 12, now 13"),
        ({"batch_size": 16}, "batch_size was 32, now 16"),
        ({"lr": 1e-3}, "lr was 0.01, now 0.001"),
        ({"labels": torch.zeros(256).long()}, "data was .*, now"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(checkpoint, change, message):
    refuse(checkpoint, message, **change)


def test_a_checkpoint_of_another_schedule_is_refused(checkpoint):
    with pytest.raises(ValueError, match="schedule was"):
        train(
            mlp(),
            DATA,
            linear_schedule(50),
            steps=STEPS,
            batch_size=32,
            lr=1e-2,
            generator=torch.Generator(),
            resume=checkpoint,
        )


def test_no_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*nothing"):
        run(mlp(), resume=tmp_path / "nothing")


def test_a_full_disk_leaves_the_old_checkpoint(checkpoint, monkeypatch):
    content = checkpoint.read_bytes()

    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(stop_at(7, run(mlp())), checkpoint)
    assert checkpoint.read_bytes() == content
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


# ---- Ctrl-C ----------------------------------------------------------------


def test_ctrl_c_waits_for_the_end_of_the_step(tmp_path):
    path = tmp_path / "run.safetensors"
    whole = last(run(mlp()))
    model, loss_of = mlp(), training.simple_loss
    calls = []

    def pressed_in_the_middle(*args):
        calls.append(args)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return loss_of(*args)

    # pytest's own worker processes ignore Ctrl-C; Python's default does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    pressed_in_the_middle.__name__ = "simple_loss"
    states = run(model, loss=pressed_in_the_middle)
    state = next(states)
    with pytest.raises(KeyboardInterrupt):
        last(states)

    handler = signal.signal(signal.SIGINT, before)
    assert handler is signal.default_int_handler
    # The fifth step was finished, and the run can go on from there.
    assert state.step == 5
    save_checkpoint(state, path)
    resumed = mlp()
    last(run(resumed, resume=path))
    assert same_weights(resumed, whole.model)


def test_train_works_outside_the_main_thread():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(last(run(mlp()))))
    thread.start()
    thread.join()
    assert same_weights(seen[0].model, last(run(mlp())).model)


# ---- bad input -------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "got steps = 0"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"lr": 0.0}, "lr = 0"),
        ({"lr": math.nan}, "lr = nan"),
        ({"labels": torch.zeros(3).long()}, r"int64 tensor \(256,\)"),
        ({"labels": torch.zeros(256)}, r"got torch\.float32 of shape"),
        ({"labels": [0] * 256}, "got list"),
        ({"labels": torch.full((256,), -1)}, "got a lowest label of -1"),
    ],
)
def test_bad_arguments_are_named_before_the_first_step(change, message):
    with pytest.raises(ValueError, match=message):
        run(mlp(), **change)


def test_bad_data_are_named():
    for data in (DATA[:0], DATA * math.nan):
        with pytest.raises(ValueError, match="data must be"):
            train(
                mlp(),
                data,
                SCHEDULE,
                steps=1,
                batch_size=1,
                lr=0.1,
                generator=torch.Generator(),
            )


def test_a_loss_that_is_not_finite_stops_the_run_with_the_last_weights():
    model = mlp()
    states = run(model)
    state = next(states)
    good = {k: v.clone() for k, v in model.state_dict().items()}
    hook = model.last.register_forward_hook(lambda *a: a[2] * math.inf)
    with pytest.raises(FloatingPointError, match=r"at step 2: lower lr \(now"):
        next(states)
    hook.remove()
    assert state.step == 1
    assert all(torch.equal(good[k], v) for k, v in model.state_dict().items())


def test_load_checkpoint_brings_the_state_back(checkpoint):
    state = next(run(mlp()))
    load_checkpoint(state, checkpoint)
    assert state.step == 5
    assert same_weights(state.model, stop_at(5, run(mlp())).model)


# ---- any one loss -----------------------------------------------------------


def line_fit(generator, steps=300, **changes):
    """Fit y = 2 x + 1 by a straight line."""
    x = torch.randn(500, 1, generator=generator)
    model = torch.nn.Linear(1, 1)
    options = {"batch_size": 64, "lr": 0.1, "steps": steps} | changes

    def loss(rows):
        return (model(rows[:, :1]) - rows[:, 1:]).square().mean()

    data = torch.cat([x, 2 * x + 1], dim=1)
    return fit(model, loss, data, generator=generator, **options)


def test_fit_goes_down_any_loss(generator):
    torch.manual_seed(0)
    states = [(state.step, state.loss, state) for state in line_fit(generator)]
    assert [step for step, *_ in states] == list(range(1, 301))
    assert states[-1][1] < 1e-4 < states[0][1]
    ema = states[-1][2].ema.module
    assert float(ema.weight.detach()) == pytest.approx(2, abs=0.05)
    assert float(ema.bias.detach()) == pytest.approx(1, abs=0.05)


def test_fit_has_the_rates_of_train(generator, monkeypatch):
    asked = []
    monkeypatch.setattr(
        training,
        "learning_rate",
        lambda *given: asked.append(given) or learning_rate(*given),
    )
    for _ in line_fit(generator, steps=3):
        pass
    assert asked == [(0, 3, 0.1), (1, 3, 0.1), (2, 3, 0.1)]


def test_fit_refuses_what_train_refuses(generator):
    with pytest.raises(ValueError, match="lr = 2"):
        line_fit(generator, lr=2.0)


def test_a_step_is_clipped_and_checked():
    p = torch.nn.Parameter(torch.zeros(1))
    sgd = torch.optim.SGD([p], lr=9.0)
    assert optimizer_step((1000 * p + 5).sum(), sgd, 0.5) == 5.0
    assert float(p.detach()) == pytest.approx(-0.5)  # a slope of 1, at most
    before = p.detach().clone()
    with pytest.raises(FloatingPointError, match="the loss is nan: lower lr"):
        optimizer_step((p * math.nan).sum(), sgd, 0.5)
    assert torch.equal(p.detach(), before)


def test_a_batch_is_drawn_from_the_data(generator):
    data = torch.arange(10).double()[:, None]
    rows = sample_batch(data, 2000, generator)
    assert rows.dtype == torch.float32
    assert set(rows[:, 0].tolist()) == set(range(10))
