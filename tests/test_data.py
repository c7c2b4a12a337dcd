"""The laws and the digits are what their docstrings say."""

import math

import pytest
import torch
from sklearn.datasets import load_digits

from diffusion_lite.data import (
    checkerboard,
    digits,
    eight_modes,
    moons,
    swiss_roll,
    two_modes,
)


def test_two_modes_has_mean_0_and_variance_1(generator):
    x = two_modes().sample(400_000, generator=generator)
    assert abs(float(x.mean())) < 4 / 400_000**0.5
    assert float(x.var()) == pytest.approx(1, abs=0.01)


def test_eight_modes_are_unequal_and_of_unit_size(generator):
    law = eight_modes()
    assert float(law.weights.max() / law.weights.min()) == pytest.approx(8)
    assert len(law.weights.unique()) == 8
    x = law.sample(400_000, generator=generator)
    assert float(x.square().mean()) == pytest.approx(1, abs=0.01)
    radius = law.means.norm(dim=1)
    torch.testing.assert_close(radius, radius[:1].expand(8))
    torch.testing.assert_close(
        law.covariances[0], 0.01 * torch.eye(2).double()
    )


@pytest.mark.parametrize("draw", [moons, swiss_roll, checkerboard])
def test_2d_laws_are_seeded_and_of_about_unit_size(draw, generator):
    x = draw(20_000, generator=generator)
    assert x.shape == (20_000, 2)
    assert torch.isfinite(x).all()
    assert float(x.square().mean()) == pytest.approx(1, abs=0.1)
    again = draw(20_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(x, again)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        draw(0, generator=generator)


def test_moons_lie_on_two_half_circles(generator):
    x = moons(5000, generator=generator) / 1.4
    upper = ((x - torch.tensor([-0.5, -0.25])).norm(dim=1) - 1).abs()
    lower = ((x - torch.tensor([0.5, 0.25])).norm(dim=1) - 1).abs()
    assert (torch.minimum(upper, lower) < 5 * 0.08).all()
    assert 0.4 < float((upper < lower).double().mean()) < 0.6


def test_swiss_roll_winds_one_and_a_half_turns(generator):
    x = swiss_roll(5000, generator=generator)
    radius = x.norm(dim=1)
    assert float(radius.min()) > 1.5 * math.pi / 7 - 0.3
    assert float(radius.max()) < 4.5 * math.pi / 7 + 0.3
    # angle and radius rise together: undo the winding and compare
    angle = torch.atan2(x[:, 1], x[:, 0])
    turns = (7 * radius - angle) / (2 * math.pi)
    assert float((turns - turns.round()).abs().median()) < 0.06


def test_checkerboard_fills_only_the_dark_squares(generator):
    x = checkerboard(20_000, generator=generator) / 0.85 + 2
    square = x.floor().long().clamp(0, 3)
    assert ((square.sum(1) % 2) == 0).all()
    counts = (4 * square[:, 0] + square[:, 1]).bincount(minlength=16)
    filled = counts[counts > 0].double()
    assert len(filled) == 8
    assert float(filled.max() / filled.min()) < 1.2


def test_digits_are_scikit_learns_split_and_scaled():
    data = digits()
    assert data.train_images.shape == (1433, 1, 8, 8)
    assert data.test_images.shape == (364, 1, 8, 8)
    assert data.train_images.dtype == torch.float32
    pixels, labels = load_digits(return_X_y=True)
    ours = torch.cat([data.train_images, data.test_images])
    levels = 8 * (ours + 1)
    assert torch.equal(levels, levels.round())
    assert (float(levels.min()), float(levels.max())) == (0, 16)
    # nothing lost, nothing twice, every label with its picture
    our_labels = torch.cat([data.train_labels, data.test_labels])
    rows = torch.cat([levels.flatten(1), our_labels[:, None]], dim=1)
    theirs = torch.cat(
        [torch.tensor(pixels), torch.tensor(labels)[:, None]], dim=1
    ).float()
    assert sorted(map(tuple, rows.tolist())) == sorted(
        map(tuple, theirs.tolist())
    )


def test_digits_split_is_fixed_and_the_same_share_of_each_class():
    first, second = digits(), digits()
    assert torch.equal(first.test_images, second.test_images)
    train = first.train_labels.bincount()
    share = train / (train + first.test_labels.bincount())
    assert ((share > 0.79) & (share <= 0.8)).all()
