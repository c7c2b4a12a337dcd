"""What a function accepts: batches of data and time steps.

Each check raises a ValueError that names the argument, what was given and
what is allowed.

Shapes and time steps are checked by every public function. Whether the
numbers are finite is checked where data come in: by the loops that learn and
sample, the mixtures and the metrics. The formulas in between are called at
every step of a loop, and asking there would make a GPU wait.
"""

import operator
from typing import SupportsIndex

import torch
from torch import Tensor


def batch(name: str, x: Tensor) -> Tensor:
    """Return x if it is a batch, and finite."""
    batch_shape(name, x)
    if not bool(torch.isfinite(x).all()):
        bad = int((~torch.isfinite(x)).sum())
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinity")
    return x


def batch_shape(name: str, x: Tensor) -> Tensor:
    """Return x if it is a batch: a float tensor (B, ...), B >= 1."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        given = getattr(x, "dtype", type(x).__name__)
        raise ValueError(f"{name} must be a float tensor, got {given}")
    if x.ndim == 0 or x.numel() == 0:
        raise ValueError(
            f"{name} must be a batch (B, ...) of at least one example, "
            f"got shape {tuple(x.shape)}"
        )
    return x


def same_shape(name_1: str, x_1: Tensor, name_2: str, x_2: Tensor) -> None:
    """Check that both are batches, and of one shape."""
    batch_shape(name_1, x_1)
    batch_shape(name_2, x_2)
    if x_1.shape != x_2.shape:
        raise ValueError(
            f"{name_1} and {name_2} must have one shape, got "
            f"{tuple(x_1.shape)} and {tuple(x_2.shape)}"
        )


def time_steps(t: int | Tensor, lowest: int, highest: int) -> Tensor:
    """Return t as int64 on the CPU, () or (B,), if it is in range."""
    allowed = f"whole numbers from {lowest} to {highest}"
    if isinstance(t, Tensor):
        whole = t.dtype in (torch.int64, torch.int32, torch.int16)
        if not whole or t.ndim > 1:
            raise ValueError(
                f"t must be an int or an int64 tensor (B,), {allowed}; "
                f"got {t.dtype}, shape {tuple(t.shape)}"
            )
        t = t.cpu().long()
    else:
        t = torch.tensor(_whole(t, allowed))
    if t.numel() and not lowest <= int(t.min()) <= int(t.max()) <= highest:
        outside = t[(t < lowest) | (t > highest)].tolist()
        raise ValueError(f"t must be {allowed}, got {outside}")
    return t


def one_step(t: int | Tensor, lowest: int, highest: int) -> int:
    """Return t as an int, if it is a single number in range."""
    steps = time_steps(t, lowest, highest)
    if steps.ndim:
        raise ValueError(f"t must be a single number, got {steps.tolist()}")
    return int(steps)


def at_least(lowest: float, **values: float) -> None:
    """Check that no value is below the lowest; each has its name."""
    for name, value in values.items():
        if not value >= lowest:
            raise ValueError(
                f"{name} must be at least {lowest:g}, got {value:g}"
            )


def class_labels(labels: Tensor, n: int) -> None:
    """Check that labels are n whole numbers, none below 0."""
    given = type(labels).__name__
    if isinstance(labels, Tensor):
        given = f"{labels.dtype} of shape {tuple(labels.shape)}"
        if labels.dtype == torch.int64 and labels.shape == (n,):
            if int(labels.min()) >= 0:
                return
            given = f"a lowest label of {int(labels.min())}"
    raise ValueError(
        f"labels must be an int64 tensor ({n},), none below 0; got {given}"
    )


def _whole(t: SupportsIndex, allowed: str) -> int:
    if isinstance(t, bool):
        raise ValueError(f"t must be {allowed}, got {t!r}")
    try:
        return operator.index(t)
    except TypeError:
        raise ValueError(f"t must be {allowed}, got {t!r}") from None


def at(table: Tensor, t: int | Tensor, x: Tensor, lowest: int = 0) -> Tensor:
    """Return table[t], shaped to multiply the batch x.

    The table is a schedule's, of T+1 entries in float64. What comes back
    has x's dtype and device, and shape (B, 1, ..., 1), or (1, 1, ..., 1)
    where t is a single number.
    """
    t = time_steps(t, lowest, len(table) - 1)
    if t.ndim and len(t) != len(x):
        raise ValueError(
            f"t must be a single number or one for each of the {len(x)} "
            f"examples, got {len(t)}"
        )
    return table[t].to(x).reshape(-1, *[1] * (x.ndim - 1))
