"""What a function accepts, and what it says of the rest."""

import math
from decimal import Decimal
from fractions import Fraction
from random import Random

import numpy as np
import pytest
import torch

from diffusion_lite.arguments import at, batch, same_shape, source, time_steps
from diffusion_lite.data import eight_modes, two_modes
from diffusion_lite.dirac_gan import minimax, orbit, simultaneous_step
from diffusion_lite.elbo import (
    bits_per_dim,
    denoising_loss,
    dequantised_nll,
    discrete_log_prob,
    elbo_terms,
    loss_by_time,
)
from diffusion_lite.flow import Flow
from diffusion_lite.gan import (
    jensen_shannon,
    point_discriminator,
    point_generator,
    train_gan,
)
from diffusion_lite.metrics import (
    energy_distance,
    precision_recall,
    real_floor,
)
from diffusion_lite.mixtures import kl_to_normal
from diffusion_lite.networks import MLP, UNet, perceptron, time_embedding
from diffusion_lite.sampling import clamp_x_0, ddpm_sample
from diffusion_lite.schedules import (
    Schedule,
    cosine_schedule,
    linear_schedule,
)
from diffusion_lite.training import last, sample_batch, train
from diffusion_lite.vae import point_vae

TABLE = torch.arange(5, dtype=torch.float64)  # T = 4


def test_batch_returns_what_it_was_given():
    x = torch.ones(2, 3)
    assert batch("x_0", x) is x


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([1.0], "x_0 must be a float tensor, got list"),
        (torch.ones(2, dtype=torch.int64), "got torch.int64"),
        (torch.tensor(1.0), r"at least one example, got shape \(\)"),
        (torch.ones(0, 2), r"at least one example, got shape \(0, 2\)"),
        (torch.tensor([1.0, float("nan")]), "x_0 must be finite, got 1 NaN"),
        (torch.tensor([float("-inf")] * 3), "x_0 must be finite, got 3 NaN"),
    ],
)
def test_batch_names_what_is_wrong(x, message):
    with pytest.raises(ValueError, match=message):
        batch("x_0", x)


def test_same_shape_names_both():
    same_shape("x_0", torch.ones(2, 3), "eps", torch.ones(2, 3))
    message = r"x_0 and eps must have one shape, got \(2, 3\) and \(3, 2\)"
    with pytest.raises(ValueError, match=message):
        same_shape("x_0", torch.ones(2, 3), "eps", torch.ones(3, 2))
    for x_0, eps, name in [
        (torch.ones(0), torch.ones(2), "x_0"),
        (torch.ones(2), torch.ones(0), "eps"),
    ]:
        with pytest.raises(ValueError, match=f"{name} must be a batch"):
            same_shape("x_0", x_0, "eps", eps)


@pytest.mark.parametrize(
    "t",
    [
        0,
        4,
        np.int64(3),
        torch.tensor(2),
        torch.tensor([0, 4]),
        torch.tensor([1, 2], dtype=torch.int32),
    ],
)
def test_time_steps_takes_whole_numbers(t):
    steps = time_steps(t, 0, 4)
    assert steps.dtype == torch.int64
    assert steps.tolist() == torch.as_tensor(t).tolist()


@pytest.mark.parametrize(
    ("t", "given"),
    [
        (-1, r"got \[?-1"),
        (5, r"got \[?5"),
        (0, r"got \[?0"),
        (2.0, "got 2.0"),
        (True, "got True"),
        (None, "got None"),
        ("3", "got '3'"),
        (torch.tensor([1, 5, -2]), r"got \[5, -2\]"),
        (torch.tensor([1.0]), "got torch.float32"),
        (torch.tensor([True]), "got torch.bool"),
        (torch.tensor([[1]]), r"shape \(1, 1\)"),
    ],
)
def test_time_steps_names_what_is_wrong(t, given):
    with pytest.raises(ValueError, match="t must be") as error:
        time_steps(t, 1, 4)
    assert "whole numbers from 1 to 4" in str(error.value)
    error.match(given)


def test_at_shapes_the_entry_to_the_batch():
    x = torch.ones(3, 1, 8, 8)
    one = at(TABLE, 2, x)
    assert one.shape == (1, 1, 1, 1)
    assert one.dtype == torch.float32
    many = at(TABLE, torch.tensor([0, 4, 2]), x)
    assert many.shape == (3, 1, 1, 1)
    assert many.flatten().tolist() == [0, 4, 2]
    assert at(TABLE, torch.tensor([1, 2]), torch.ones(2)).shape == (2,)


def test_at_wants_one_t_for_each_row():
    with pytest.raises(ValueError, match="each of the 3 examples, got 0"):
        at(TABLE, torch.zeros(0).long(), torch.ones(3, 2))
    with pytest.raises(ValueError, match="each of the 3 examples, got 2"):
        at(TABLE, torch.tensor([1, 2]), torch.ones(3, 2))


def test_at_respects_the_lowest_t():
    with pytest.raises(ValueError, match="whole numbers from 1 to 4"):
        at(TABLE, 0, torch.ones(3, 2), lowest=1)


# ---- every function that takes a number, or a generator ---------------------

SCHEDULE = linear_schedule(4)
MIXTURE = two_modes()
X = torch.tensor([[0.1], [0.2], [0.3], [0.4]], dtype=torch.float64)
LEVELS = torch.tensor([[-1.0], [1.0]])


def seeded():
    return torch.Generator().manual_seed(0)


def zero(x_t, _):
    return 0 * x_t


# Each takes the number 2, of whatever kind.
WHOLE_NUMBERS = {
    "linear_schedule": lambda n: linear_schedule(n).alpha_bar,
    "cosine_schedule": lambda n: cosine_schedule(n).alpha_bar,
    "mixture": lambda n: MIXTURE.sample(n, generator=seeded()),
    "bayes_loss": lambda n: MIXTURE.bayes_loss(
        1, SCHEDULE, generator=seeded(), n=n
    )[0],
    "jensen_shannon": lambda n: jensen_shannon(
        MIXTURE, MIXTURE, generator=seeded(), n=n
    ),
    "bits_per_dim": lambda n: bits_per_dim(1.0, n),
    "levels": lambda n: discrete_log_prob(
        LEVELS, LEVELS, torch.ones(()), levels=n
    ),
    "embedding": lambda n: time_embedding(torch.tensor([1]), n),
    "perceptron": lambda n: len(perceptron(n, n, n, n)),
    "MLP": lambda n: len(MLP(n, n, n).layers),
    "UNet channels": lambda n: UNet(n, 8, n).channels,
    "VAE": lambda n: point_vae(n, n).sample(n, generator=seeded()).shape,
    "VAE's log_prob": lambda n: (
        (
            point_vae(1, 4).log_prob(
                X.expand(4, 2), samples=n, generator=seeded()
            )
        ).shape
    ),
    "flow": lambda n: Flow((n,), n, n).sample(n, generator=seeded()).shape,
    "GAN": lambda n: point_generator(n, n).sample(n, generator=seeded()).shape,
    "real_floor": lambda n: real_floor(
        energy_distance, lambda: (X, X), repeats=n
    ),
    "precision": lambda n: precision_recall(X, X, k=n),
    "orbit": lambda n: orbit(simultaneous_step, minimax, (1.0, 0.0), 0.1, n),
    "start": lambda n: last(
        ddpm_sample(zero, X, SCHEDULE, generator=seeded(), start=n)
    ),
}
ARE_2 = [
    np.int64(2),
    np.uint8(2),
    np.array(2),
    torch.tensor(2),
    torch.tensor(2, dtype=torch.int32),
]
NOT_WHOLE = [
    True,
    "2",
    b"2",
    2.0,
    -2,
    [2],
    (2, 2),
    2j,
    np.float64(2),
    np.bool_(True),
    torch.tensor(2.0),
    torch.tensor(True),
    torch.tensor([2, 2]),
]


def same(a, b):
    a, b = torch.tensor(a), torch.tensor(b)
    torch.testing.assert_close(a, b, rtol=0, atol=0)


# Each takes the number a half, of whatever kind.
NUMBERS = {
    "s": lambda x: cosine_schedule(4, s=x).alpha_bar,
    "beta_max": lambda x: cosine_schedule(4, beta_max=x).alpha_bar,
    "std": lambda x: eight_modes(x).covariances,
    "h": lambda x: orbit(simultaneous_step, minimax, (1.0, 0.0), x, 2),
    "variance": lambda x: kl_to_normal(MIXTURE, 0.0, x),
    "low": lambda x: clamp_x_0(zero, SCHEDULE, x, 1.0)(
        X, torch.ones(4).long()
    ),
    "lr": lambda x: (
        next(train(MLP(1, 4, 1), loss, X, **(small() | {"lr": x}))).step
    ),
    "gamma": lambda x: (
        next(
            train_gan(
                point_generator(2, 2),
                point_discriminator(2),
                X.expand(4, 2),
                **small(),
                gamma=x,
            )
        ).step
    ),
}


def small():
    return {"steps": 2, "batch_size": 2, "lr": 0.1, "generator": seeded()}


def loss(model, x, generator):
    return model(x, torch.ones(len(x)).long()).square().mean()


ARE_HALF = [
    Fraction(1, 2),
    np.float64(0.5),
    np.float32(0.5),
    np.float16(0.5),
    np.array(0.5),
    torch.tensor(0.5),
    torch.tensor(0.5, dtype=torch.bfloat16),
    torch.nn.Parameter(torch.tensor(0.5)),
]
NO_NUMBERS = [
    "0.5",
    None,
    True,
    [0.5],
    0.5j,
    math.nan,
    math.inf,
    np.bool_(True),
    torch.tensor([0.5, 0.5]),
    torch.tensor(math.nan),
    Decimal("0.5"),
]


@pytest.mark.filterwarnings("ignore:.*x_T is not noise yet")
@pytest.mark.filterwarnings("ignore:To copy construct")
@pytest.mark.parametrize(
    ("call", "usual", "kinds", "wrong", "words"),
    [
        *[
            (call, 2, ARE_2, NOT_WHOLE, " must be ")
            for call in WHOLE_NUMBERS.values()
        ],
        *[
            (call, 0.5, ARE_HALF, NO_NUMBERS, " must be a number")
            for call in NUMBERS.values()
        ],
    ],
    ids=[*WHOLE_NUMBERS, *NUMBERS],
)
def test_a_number_may_be_pythons_numpys_or_torchs(
    call, usual, kinds, wrong, words
):
    for x in kinds:
        same(call(x), call(usual))
    for x in wrong:
        with pytest.raises(ValueError, match=words) as error:
            call(x)
        assert "got" in str(error.value)


def test_an_end_of_a_schedule_is_a_number():
    for wrong in NO_NUMBERS:
        for end in ("beta_1", "beta_T"):
            with pytest.raises(ValueError, match=f"{end} must be a number"):
                linear_schedule(4, **{end: wrong})
    beta = linear_schedule(4, np.float64(1e-4), np.array(0.02))
    assert torch.equal(beta.beta, linear_schedule(4).beta)


SAMPLERS = {
    "mixture": lambda g: MIXTURE.sample(2, generator=g),
    "bayes_loss": lambda g: MIXTURE.bayes_loss(1, SCHEDULE, generator=g),
    "jensen_shannon": lambda g: jensen_shannon(MIXTURE, MIXTURE, generator=g),
    "dequantised_nll": lambda g: dequantised_nll(
        MIXTURE.log_prob, LEVELS, levels=2, generator=g
    ),
    "loss_by_time": lambda g: loss_by_time(zero, X, SCHEDULE, generator=g),
    "denoising_loss": lambda g: denoising_loss(
        zero, X, schedule=SCHEDULE, generator=g
    ),
    "elbo_terms": lambda g: elbo_terms(zero, X, SCHEDULE, generator=g),
    "ddpm_sample": lambda g: ddpm_sample(zero, X, SCHEDULE, generator=g),
    "VAE": lambda g: point_vae(2, 4).sample(2, generator=g),
    "elbo": lambda g: point_vae(2, 4).elbo(X.expand(4, 2), generator=g),
    "log_prob": lambda g: point_vae(2, 4).log_prob(
        X.expand(4, 2), samples=2, generator=g
    ),
    "flow": lambda g: Flow((2,), 2, 2).sample(2, generator=g),
    "GAN": lambda g: point_generator(2, 2).sample(2, generator=g),
    "sample_batch": lambda g: sample_batch((X,), 2, g),
    "train": lambda g: train(MLP(1), loss, X, **(small() | {"generator": g})),
    "train_gan": lambda g: train_gan(
        point_generator(2, 2),
        point_discriminator(2),
        X,
        **(small() | {"generator": g}),
    ),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_generator_is_torchs(name):
    SAMPLERS[name](seeded())
    for wrong in (None, 0, "cpu", Random(0), np.random.default_rng(0)):
        with pytest.raises(ValueError, match=r"must be a torch.Generator"):
            SAMPLERS[name](wrong)


def test_a_generator_is_on_the_cpu():
    class Elsewhere(torch.Generator):
        device = torch.device("cuda:1")

    with pytest.raises(ValueError, match="got one on cuda:1"):
        source(Elsewhere())


@pytest.mark.parametrize(
    "row", ["0.1", None, [[0.1]], 0.1, [], [0.1, "0.2"], [[0.1], [0.1, 0.2]]]
)
def test_a_row_of_numbers_is_one(row):
    for make in (Schedule.from_betas, Schedule.from_alpha_bar, Schedule):
        with pytest.raises(ValueError, match="must be"):
            make(row)


@pytest.mark.parametrize("net", [MLP(1, 4, 1), UNet(1, 8, 2)])
def test_a_network_names_what_it_cannot_take(net):
    x = X.float() if isinstance(net, MLP) else torch.ones(4, 1, 2, 2)
    t = torch.ones(4).long()
    for wrong in (3, [1] * 4, t.float(), t.bool(), np.ones(4), None, t[:2]):
        with pytest.raises(ValueError, match="t must be an integer tensor"):
            net(x, wrong)
    for wrong in (x.tolist(), x.numpy(), x.long(), None, x[:0]):
        with pytest.raises(ValueError, match="x_t must be"):
            net(wrong, t)
    if isinstance(net, UNet):
        for wrong in (t.float(), t.bool(), [1] * 4, t + 1, t - 2, t[:2]):
            with pytest.raises(ValueError, match="y must be an integer ten"):
                net(x, t, wrong)
