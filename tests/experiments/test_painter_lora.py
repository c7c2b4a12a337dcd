"""A new word: what learns and what stays."""

import pytest
import torch

from experiments.painter.lora import LoRALinear, with_new_words
from experiments.painter.network import Painter


@pytest.fixture
def painter():
    torch.manual_seed(0)
    painter = Painter(3, width=16, dim=32, depth=1)
    with torch.no_grad():
        for p in painter.parameters():
            p.add_(0.05 * torch.randn(p.shape))
    return painter


def given(tags):
    source = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 32, 32, generator=source)
    return x, torch.tensor([100, 700]), torch.tensor([tags, tags]).float()


def test_at_first_nothing_has_changed(painter):
    taught = with_new_words(painter, 1)
    for tags in ([0, 0, 0], [1, 0, -1]):
        assert torch.allclose(
            painter(*given(tags)), taught(*given([*tags, 0])), atol=1e-5
        )


def test_only_the_new_rows_and_the_low_ranks_learn(painter):
    taught = with_new_words(painter, 1)
    before = {k: x.clone() for k, x in taught.state_dict().items()}
    learning = [p for p in taught.parameters() if p.requires_grad]
    adam = torch.optim.Adam(learning, lr=0.01)
    for _ in range(2):
        adam.zero_grad()
        taught(*given([1, 0, 0, 1])).square().mean().backward()
        adam.step()
    for name, x in taught.state_dict().items():
        same = torch.equal(x, before[name])
        if name in ("words", "sums"):
            changed = (x != before[name]).any(2)
            assert changed.tolist() == [[False] * 3 + [True], [False] * 4]
        else:
            assert same == (not name.endswith((".up", ".down"))), name


def test_the_change_has_the_rank_that_was_asked_for():
    torch.manual_seed(0)
    layer = LoRALinear(torch.nn.Linear(20, 30), 3)
    with torch.no_grad():
        layer.up.normal_()
    change = layer(torch.eye(20)) - layer.linear(torch.eye(20))
    assert torch.linalg.matrix_rank(change) == 3


def test_far_fewer_weights_learn(painter):
    taught = with_new_words(Painter(30), 1)
    count = sum(p.numel() for p in taught.parameters() if p.requires_grad)
    whole = sum(p.numel() for p in taught.parameters())
    assert count < whole / 10
    with pytest.raises(ValueError, match="rank"):
        with_new_words(painter, 1, rank=0)
