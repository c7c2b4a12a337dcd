"""Chapter 6's mode collapse: what the page says of it, at other seeds too."""

import pytest
import torch

from experiments.contest import collapse


@pytest.mark.slow
def test_a_generator_alone_goes_where_the_logit_is_high():
    for seed in (1, 2, 3):
        opponent, shown = collapse.alone(seed)
        heights = [float(opponent(x).mean()) for x in shown]
        assert heights[0] < min(heights[1:])
        gone = [collapse.lost(x) for x in shown]
        assert gone[0] == 0
        assert gone[-1] >= 4  # "other seeds end at a few places"
        moved = shown[-1] - shown[0]
        assert float(moved.norm(dim=1).mean()) > 0.5


def test_lost_modes_are_counted():
    assert collapse.lost(torch.ones(1000, 2)) == 7
