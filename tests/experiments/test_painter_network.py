"""The painter's network, and what it is told: wanted, unwanted, unsaid."""

import math

import pytest
import torch

from experiments.painter.network import HEADS, Painter, attention
from experiments.painter.paint import SCHEDULE, paint, said
from experiments.painter.scenes import TAGS, sample_scenes
from experiments.painter.train import (
    caption_loss,
    sample_captions,
    sample_times,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def painter():
    """Return an untrained network whose last layers are not zero."""
    torch.manual_seed(0)
    painter = Painter(len(TAGS))
    with torch.no_grad():
        for p in painter.parameters():
            p.add_(0.05 * torch.randn(p.shape))
    return painter.eval()


def test_it_begins_as_zero_and_every_weight_learns():
    torch.manual_seed(0)
    painter = Painter(len(TAGS))
    x, t = torch.randn(8, 3, 32, 32), torch.arange(1, 801, 100)
    y = torch.randn(8, len(TAGS)).sign()
    assert not painter(x, t, y).any()
    with torch.no_grad():
        for p in painter.parameters():
            p.add_(0.01)
    painter(x, t, y).square().mean().backward()
    for name, p in painter.named_parameters():
        assert p.grad.abs().max() > 0, name


def test_what_is_said_matters_and_what_is_unsaid_does_not(painter):
    x, t = torch.randn(1, 3, 32, 32, generator=seeded()), torch.tensor([500])
    answers = [
        painter(x, t, said(*words)[None])
        for words in (("",), ("boat",), ("", "boat"), ("boat sea",))
    ]
    for i, one in enumerate(answers):
        for other in answers[:i]:
            assert (one - other).abs().max() > 1e-3


def test_attention_is_a_mean_of_values_head_by_head():
    q, k, v = torch.randn(3, 2, 5, 8 * HEADS, generator=seeded()).double()
    there = torch.tensor([[True] * 5, [True, True, False, True, False]])
    hidden = torch.where(there, 0, -math.inf)[:, None]
    wanted = torch.zeros_like(q)
    for h in range(HEADS):
        part = slice(8 * h, 8 * h + 8)
        scores = q[..., part] @ k[..., part].mT / 8**0.5
        weights = (scores + hidden).softmax(2)
        wanted[..., part] = weights @ v[..., part]
    assert torch.allclose(attention(q, k, v, there), wanted)


def test_captions_say_what_is_there_and_deny_only_what_is_not():
    shown = (torch.rand(4000, 30, generator=seeded()) < 0.2).float()
    y = sample_captions(shown, seeded(1))
    assert set(y.unique().tolist()) == {-1, 0, 1}
    assert not (y[shown == 1] == -1).any()
    assert not (y[shown == 0] == 1).any()
    assert 0.4 < (y[shown == 1] == 1).float().mean() < 0.5
    assert 0.08 < (y == 0).all(1).float().mean() < 0.25


def test_times_reach_from_1_to_T():
    t = sample_times(100_000, seeded())
    assert t.dtype == torch.int64
    assert t.min() >= 1
    assert SCHEDULE.T - 2 <= t.max() <= SCHEDULE.T


def test_the_loss_is_the_error_of_v():
    """A network that says 0 has the mean square of v: that of data, mixed."""
    scenes = sample_scenes(64, generator=seeded())
    loss = caption_loss(
        lambda x_t, t, y: torch.zeros_like(x_t), *scenes, generator=seeded()
    )
    assert 0.2 < loss < 1


def test_a_painting_is_the_same_again_and_another_with_another_seed(painter):
    y = said("sea boat")[None].repeat(2, 1)
    one, again, other = (
        paint(painter, y, generator=seeded(seed), passes=3)
        for seed in (0, 0, 1)
    )
    assert one.shape == (2, 3, 32, 32)
    assert -1 <= one.min() < one.max() <= 1
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])
