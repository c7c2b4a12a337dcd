"""Training: one loop for every loss, which learns and fails clearly."""

import itertools
import math
from contextlib import contextmanager
from functools import partial

import pytest
import torch

from diffusion_lite import training
from diffusion_lite.checkpoint import long_run
from diffusion_lite.data import eight_modes
from diffusion_lite.elbo import (
    denoising_loss,
    elbo_loss,
    elbo_terms,
    eps_error,
    loss_by_time,
)
from diffusion_lite.flow import Flow, flow_loss
from diffusion_lite.gan import (
    jensen_shannon,
    point_discriminator,
    point_generator,
    train_gan,
)
from diffusion_lite.networks import MLP, UNet
from diffusion_lite.sampling import ddpm_sample
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from diffusion_lite.training import (
    last,
    learning_rate,
    optimizer_step,
    sample_batch,
    train,
    update_ema,
)
from diffusion_lite.vae import point_vae, vae_loss

SCHEDULE = cosine_schedule(50)
DATA = eight_modes().sample(256, generator=torch.Generator().manual_seed(3))
STEPS = 12
LOSS = partial(denoising_loss, schedule=SCHEDULE)


def mlp(width=16):
    torch.manual_seed(1)
    return MLP(width=width)


def run(model, loss=LOSS, data=DATA, **kwargs):
    """Start the small run that most tests here look at."""
    arguments = {
        "steps": STEPS,
        "batch_size": 32,
        "lr": 1e-2,
        "generator": torch.Generator().manual_seed(2),
    } | kwargs
    return train(model, loss, data, **arguments)


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
        ema = state.ema.first.weight
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
            partial(denoising_loss, schedule=schedule),
            data,
            steps=800,
            batch_size=512,
            lr=1e-2,
            generator=generator,
        )
    )
    assert excess(state.ema, mixture, schedule, generator) < 0.006


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
            LOSS,
            (images, labels),
            steps=3,
            batch_size=4,
            lr=1e-2,
            generator=generator,
        )
    )
    moved = (net.label.weight.cpu() - before).abs().sum(1)
    assert moved[0] > 0 == moved[1]  # class 1 was never shown


# ---- bad input -------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps must be .* got 0"),
        ({"batch_size": 0}, "batch_size must be .* got 0"),
        ({"lr": 0.0}, "lr must be .* got 0"),
        ({"lr": math.nan}, "lr must be .* got nan"),
        ({"data": (DATA, torch.zeros(3))}, r"with one N; .* shape \(3,\)"),
        ({"data": (DATA, [0] * 256)}, "got .*, list"),
        ({"data": DATA[:0]}, "data must be a batch"),
        ({"data": DATA * math.nan}, "data must be finite"),
    ],
)
def test_bad_arguments_are_named_before_the_first_step(change, message):
    with pytest.raises(ValueError, match=message):
        run(mlp(), **change)


def spoiled(poison, at=7):
    """Return LOSS, but with this done to the loss of one step."""
    calls = []

    def loss(model, x_0, generator):
        calls.append(x_0)
        value = LOSS(model, x_0, generator=generator)
        return poison(value, model) if len(calls) == at else value

    return loss


def nan_gradient(value, model):
    """Return the same loss, with a gradient that is NaN."""
    zero = model.last.weight.sum() * 0
    return value + torch.where(zero > 1, zero.sqrt() * math.nan, zero).sqrt()


@pytest.mark.parametrize(
    ("poison", "message"),
    [
        (lambda value, _: value * math.inf, "the loss is inf"),
        (nan_gradient, "its gradient's length nan: lower lr"),
    ],
)
def test_what_is_not_finite_stops_with_the_step_before(poison, message):
    model = mlp()
    states = run(model, loss=spoiled(poison))
    state = last(itertools.islice(states, 6))
    good = [
        {k: v.clone() for k, v in each.state_dict().items()}
        for each in (state.model, state.ema)
    ]
    with pytest.raises(FloatingPointError, match=message):
        next(states)
    assert state.step == 6
    for each, kept in zip((model, state.ema), good, strict=True):
        now = each.state_dict()
        assert all(torch.equal(v, now[k]) for k, v in kept.items())


@pytest.mark.parametrize(
    ("poison", "given"),
    [
        (lambda value, _: value.expand(32), r"torch.float32 of shape \(32,\)"),
        (lambda value, _: 0.5, "float"),
        (lambda value, _: value + 0j, r"torch.complex64 of shape \(\)"),
        (lambda value, _: value.detach(), r".* without a gradient"),
    ],
)
def test_a_loss_that_is_no_scalar_is_named(poison, given):
    states = run(mlp(), loss=spoiled(poison, at=1))
    with pytest.raises(ValueError, match=f"one number.*got {given}"):
        next(states)


def test_an_empty_run_has_no_last_item():
    assert last(iter("abc")) == "c"
    with pytest.raises(ValueError, match="the run is empty"):
        last([])


def test_the_bounds_weights_are_a_loss_too():
    loss = partial(denoising_loss, schedule=SCHEDULE, loss=elbo_loss)
    weighted, plain = (last(run(mlp(), loss=each)) for each in (loss, LOSS))
    assert weighted.loss != plain.loss


def test_the_mean_has_the_weights_buffers_too():
    model, ema = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    model.running_mean.fill_(3.0)
    update_ema(ema, model, 5)
    assert torch.equal(ema.running_mean, model.running_mean)


# ---- whatever the process was told ------------------------------------------


@contextmanager
def default(dtype=None, device=None):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype or before)
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


STATES = {
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64": lambda: default(torch.float64),
    "bfloat16": lambda: default(torch.bfloat16),
    "float16": lambda: default(torch.float16),
    "another device": lambda: default(device="meta"),
    "deterministic": deterministic,
}


def flow_run():
    return train(Flow((2,), 2, 8), flow_loss, DATA, **small())


def vae_run():
    return train(point_vae(width=8), vae_loss, DATA, **small())


def gan_run():
    player, opponent = point_generator(2, 8), point_discriminator(8)
    return train_gan(player, opponent, DATA, gamma=0.1, **small())


def small():
    generator = torch.Generator().manual_seed(2)
    return {"steps": 4, "batch_size": 8, "lr": 1e-2, "generator": generator}


def made(start):
    """Start a run with a new model of one seed; the state is not yet told."""
    torch.manual_seed(1)
    return start()


RUNS = {
    "denoiser": lambda: run(mlp(), steps=4),
    "flow": flow_run,
    "VAE": vae_run,
    "GAN": gan_run,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", RUNS)
def test_what_the_process_was_told_changes_no_training(kind, state):
    usual = last(made(RUNS[kind]))
    states = made(RUNS[kind])  # begun before it was told, and led on after
    with STATES[state]():
        told = last(states)
        assert torch.is_grad_enabled() == (
            state not in ("no gradients", "inference")
        )
    assert same_weights(told.model, usual.model)
    assert same_weights(told.ema, usual.ema)


@pytest.mark.parametrize("state", STATES)
def test_a_run_may_begin_under_any_of_it(state, tmp_path):
    usual, models = last(run(mlp(), steps=4)), [mlp(), mlp()]
    with STATES[state]():
        told = last(run(models[0], steps=4))
        options = small() | {"batch_size": 32}
        path = tmp_path / "run"
        saved = last(long_run(path, models[1], LOSS, DATA, **options))
    assert same_weights(told.model, usual.model)
    assert same_weights(saved.ema, usual.ema)
    assert not told.ema.first.weight.is_inference()


@pytest.mark.parametrize("state", STATES)
def test_it_changes_no_sample_and_no_term_of_the_bound(state):
    mixture, other = eight_modes(), eight_modes(0.3)

    def measured():
        g = torch.Generator().manual_seed(0)
        schedule = linear_schedule(6)
        eps_model = partial(mixture.optimal_eps, schedule=schedule)
        x_T = DATA[:8]
        return [
            mixture.sample(5, generator=g),
            last(ddpm_sample(eps_model, x_T, schedule, generator=g)),
            elbo_terms(eps_model, x_T, schedule, generator=g),
            loss_by_time(eps_model, x_T, schedule, generator=g),
            jensen_shannon(mixture, other, generator=g, n=50),
            cosine_schedule(8).alpha_bar,
            *mixture.bayes_loss(3, schedule, generator=g, n=20),
        ]

    usual = measured()
    with STATES[state]():
        told = measured()
    for a, b in zip(usual, told, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


# ---- any one loss -----------------------------------------------------------


def line_fit(generator, steps=300, **changes):
    """Fit y = 2 x + 1 by a straight line."""
    x = torch.randn(500, 1, generator=generator)
    options = {"batch_size": 64, "lr": 0.1, "steps": steps} | changes

    def loss(model, x, y, generator):
        return (model(x) - y).square().mean()

    line = torch.nn.Linear(1, 1)
    return train(line, loss, (x, 2 * x + 1), generator=generator, **options)


def test_any_loss_is_minimised(generator):
    torch.manual_seed(0)
    states = [(state.step, state.loss, state) for state in line_fit(generator)]
    assert [step for step, *_ in states] == list(range(1, 301))
    assert states[-1][1] < 1e-4 < states[0][1]
    ema = states[-1][2].ema
    assert float(ema.weight) == pytest.approx(2, abs=0.05)
    assert float(ema.bias) == pytest.approx(1, abs=0.05)


def test_each_step_has_its_rate(generator, monkeypatch):
    asked = []
    monkeypatch.setattr(
        training,
        "learning_rate",
        lambda *given: asked.append(given) or learning_rate(*given),
    )
    for _ in line_fit(generator, steps=3):
        pass
    assert asked == [(0, 3, 0.1), (1, 3, 0.1), (2, 3, 0.1)]


def test_a_step_is_clipped_and_checked():
    p = torch.nn.Parameter(torch.zeros(1))
    sgd = torch.optim.SGD([p], lr=9.0)
    assert optimizer_step((1000 * p + 5).sum(), sgd, 0.5) == 5.0
    assert float(p.detach()) == pytest.approx(-0.5)  # a slope of 1, at most
    before = p.detach().clone()
    with pytest.raises(FloatingPointError, match="the loss is nan"):
        optimizer_step((p * math.nan).sum(), sgd, 0.5)
    assert torch.equal(p.detach(), before)


def test_a_batch_has_the_same_rows_of_each_tensor(generator):
    x = torch.arange(10.0)[:, None]
    rows, twice = sample_batch((x, 2 * x), 2000, generator)
    assert set(rows[:, 0].tolist()) == set(range(10))
    assert torch.equal(twice, 2 * rows)
