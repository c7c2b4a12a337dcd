"""What the tests share."""

import pytest
import torch


@pytest.fixture
def generator():
    """Return a fresh source of randomness, the same for every test."""
    return torch.Generator().manual_seed(0)
