"""The autoregressive model: its probabilities add up, and are its samples'."""

import itertools
import math

import pytest
import torch

from diffusion_lite.autoregressive import (
    Autoregressive,
    MaskedLinear,
    autoregressive_loss,
)
from diffusion_lite.data import digits
from diffusion_lite.training import last, train
from mutants import mutant

SMALL = (1, 2, 2), 3  # shape and levels: 81 pictures in all


def model(shape=SMALL[0], levels=SMALL[1], width=24):
    """Return a model in float64 with weights that tell the entries apart."""
    torch.manual_seed(0)
    made = Autoregressive(shape, levels, width).double()
    for p in made.parameters():
        torch.nn.init.normal_(p, std=1.0)
    return made.requires_grad_(False)


def every_picture():
    shape, levels = SMALL
    each = torch.linspace(-1, 1, levels).double().tolist()
    rows = itertools.product(each, repeat=math.prod(shape))
    return torch.tensor([*rows]).double().reshape(-1, *shape)


def reads_all(right, self, before, after):
    right(self, before, after)
    self.mask.fill_(1)


def before_and_itself(right, self, before, after):
    right(self, before, after)
    self.mask.copy_((before <= after[:, None] + 1).float())


@mutant("layers without a mask", (MaskedLinear, "__init__"), reads_all)
@mutant(
    "entries that know themselves",
    (MaskedLinear, "__init__"),
    before_and_itself,
)
@pytest.mark.parametrize("shape", [(2,), (1, 2, 2), (1, 8, 8)])
def test_a_factor_knows_the_entries_before_it_and_all_of_them(
    shape, generator
):
    dim = math.prod(shape)
    made = model(shape, 3, 4 * dim)
    reads = torch.zeros(dim, dim).bool()
    for x in torch.randn(30, 1, *shape, generator=generator).double():
        slopes = torch.autograd.functional.jacobian(made.logits, x)
        reads |= (slopes != 0).reshape(dim, 3, dim).any(1)
    assert torch.equal(reads, torch.ones(dim, dim).tril(-1).bool())


@mutant(
    "the level that comes next",
    (Autoregressive, "_level_of"),
    lambda right, self, x: (right(self, x) + 1) % self.levels,
)
@mutant(
    "a mean of the factors for their product",
    (Autoregressive, "log_prob"),
    lambda right, self, x: right(self, x) / x[0].numel(),
)
@pytest.mark.equation(
    "eq-autoregressive", oracle="a sum over all pictures; their frequencies"
)
def test_the_probabilities_add_up_and_are_those_of_the_samples(generator):
    made, pictures = model(), every_picture()
    p = made.log_prob(pictures).exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)
    n = 40_000
    x = made.sample(n, generator=generator)
    assert x.shape == (n, 1, 2, 2)
    same = (x[:, None] - pictures[None].float()).abs().flatten(2).amax(2)
    counts = (same < 1e-6).sum(0).double()
    assert int(counts.sum()) == n
    expected = n * p
    chi_2 = float(((counts - expected) ** 2 / expected)[expected > 5].sum())
    assert chi_2 < 150  # of at most 80 degrees of freedom


@pytest.mark.slow
def test_it_learns_the_digits_better_than_pixels_one_by_one(generator):
    data = digits()
    torch.manual_seed(0)
    run = train(
        Autoregressive((1, 8, 8), width=256),
        autoregressive_loss,
        data.train_images,
        steps=500,
        batch_size=64,
        lr=1e-2,
        generator=generator,
    )
    state = last(run)
    level = ((data.train_images.flatten(1) + 1) * 8).long()
    share = torch.nn.functional.one_hot(level, 17).double().sum(0) + 0.1
    share = share / share.sum(1, keepdim=True)
    new = ((data.test_images.flatten(1) + 1) * 8).long()
    alone = -share.log()[torch.arange(64), new].mean()
    found = -state.ema.log_prob(data.test_images).mean() / 64
    assert float(found) < 0.93 * float(alone)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Autoregressive((1,)), "two entries"),
        (lambda: Autoregressive((2, 0)), "shape"),
        (lambda: Autoregressive((2,), levels=1), "levels"),
        (lambda: Autoregressive((2,), width=0), "width"),
        (lambda: model().log_prob(torch.zeros(3, 4)), r"\(B, 1, 2, 2\)"),
        (lambda: model().log_prob(torch.full((1, 1, 2, 2), 0.5)), "levels"),
        (lambda: model().log_prob(torch.full((1, 1, 2, 2), 2.0)), "levels"),
        (lambda: model().sample(0, generator=torch.Generator()), "n must"),
        (lambda: model().sample(1, generator=None), "generator"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
