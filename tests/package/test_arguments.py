"""What a function accepts, and what it says of the rest."""

import numpy as np
import pytest
import torch

from diffusion_lite.arguments import at, batch, same_shape, time_steps

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
