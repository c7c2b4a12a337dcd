"""What a function accepts: batches, time steps, numbers, randomness.

Each check raises a ValueError that names the argument, what was given and
what is allowed. A number may be Python's, NumPy's or torch's, but no bool and
no text; what comes back is Python's.

Shapes and time steps are checked by every public function. Whether the
numbers are finite is checked where data come in: by the loops that learn and
sample, the mixtures and the metrics. The formulas in between are called at
every step of a loop, and asking there would make a GPU wait.
"""

import math
import operator
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

WHOLE = torch.int64, torch.int32, torch.int16


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


def rows(name: str, x: Tensor, *shape: int) -> Tensor:
    """Return x if it is a batch (B, *shape), where -1 stands for any size."""
    got = tuple(batch_shape(name, x).shape)
    fits = [n in (-1, m) for n, m in zip(shape, got[1:], strict=False)]
    if len(got) != 1 + len(shape) or not all(fits):
        want = ", ".join("any" if n == -1 else str(n) for n in shape)
        raise ValueError(f"{name} must be (B, {want}), got {got}")
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
        if t.dtype not in WHOLE or t.ndim > 1:
            raise ValueError(
                f"t must be an int or an int64 tensor (B,), {allowed}; "
                f"got {t.dtype}, shape {tuple(t.shape)}"
            )
        t = t.cpu().long()
    else:
        number = _index(t)
        if number is None:
            raise ValueError(f"t must be {allowed}, got {t!r}")
        t = torch.tensor(number, device="cpu")
        if lowest <= number <= highest:
            return t
    if t.numel() and not lowest <= int(t.min()) <= int(t.max()) <= highest:
        outside = t[(t < lowest) | (t > highest)].tolist()
        raise ValueError(f"t must be {allowed}, got {outside}")
    return t


def one_step(t: int | Tensor, lowest: int, highest: int) -> int:
    """Return t as an int, if it is a single number in range."""
    if type(t) is int and lowest <= t <= highest:
        return t  # at once: a sampler asks at every step
    steps = time_steps(t, lowest, highest)
    if steps.ndim:
        raise ValueError(f"t must be a single number, got {steps.tolist()}")
    return int(steps)


def whole(
    lowest: int, multiple: int = 1, highest: int = 2**31, /, **values: Any
) -> list[int]:
    """Return the values as ints, if they are whole and within the bounds.

    Each has its name, and must be a multiple of what is asked for.
    """
    of = f" and a multiple of {multiple}" if multiple > 1 else ""
    for name, value in values.items():
        number = _index(value)
        if number is not None and number > highest:
            raise ValueError(f"{name} must be at most {highest}, got {number}")
        if number is None or number < lowest or number % multiple:
            raise ValueError(
                f"{name} must be a whole number, at least {lowest}{of}, "
                f"got {value!r}"
            )
        values[name] = number
    return list(values.values())


def _index(x: object) -> int | None:
    """Return a whole number as an int, and None for anything else."""
    if isinstance(x, bool) or getattr(x, "dtype", None) == torch.bool:
        return None
    try:
        return operator.index(x)  # type: ignore[arg-type]  # so it is asked
    except (TypeError, RuntimeError):
        return None


def at_least(lowest: float, /, **values: Any) -> list[float]:
    """Return the values as finite floats, if none is below the lowest."""
    words = f"at least {lowest:g}"
    return _reals(words, lambda x: lowest <= x < math.inf, values)


def inside(low: float, high: float, /, **values: Any) -> list[float]:
    """Return the values as floats, if they lie between the two, not on one."""
    words = f"strictly between {low:g} and {high:g}"
    return _reals(words, lambda x: low < x < high, values)


def _reals(
    allowed: str, fits: Callable[[Any], bool], values: dict[str, Any]
) -> list[float]:
    for name, value in values.items():
        single = getattr(value, "shape", None) == ()
        x = value.item() if single else value
        if single and value.dtype.itemsize < 8:  # 0.01 is meant by 0.0099999
            x = float(f"{x:.7g}") if isinstance(x, float) else x
        real = isinstance(x, Real) and not isinstance(x, bool)
        if not real or not fits(x):
            raise ValueError(
                f"{name} must be a number, {allowed}, got {value!r}"
            )
        values[name] = float(x)
    return list(values.values())


def source(generator: torch.Generator) -> torch.Generator:
    """Return the generator, if it is torch's and on the CPU."""
    if not isinstance(generator, torch.Generator):
        given = repr(generator)
    elif generator.device.type != "cpu":
        given = f"one on {generator.device}"
    else:
        return generator
    raise ValueError(
        "generator must be a torch.Generator on the CPU, such as "
        f"torch.Generator().manual_seed(0), got {given}"
    )


def normal(
    shape: Sequence[int],
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Sample N(0, I) on the CPU, whatever torch's defaults are.

    So a seed gives the same numbers on each device.
    """
    generator = source(generator)
    return torch.randn(shape, generator=generator, dtype=dtype, device="cpu")


def random_integers(
    lowest: int, highest: int, n: int, generator: torch.Generator
) -> Tensor:
    """Sample n of lowest..highest, each as likely, on the CPU: (n,)."""
    generator, end = source(generator), highest + 1
    return torch.randint(lowest, end, (n,), generator=generator, device="cpu")


def described(x: object) -> str:
    """Return what a message says of something that was given."""
    if isinstance(x, Tensor):
        return f"{x.dtype} of shape {tuple(x.shape)}"
    return type(x).__name__


def class_labels(
    name: str, labels: Tensor, n: int, classes: int | None = None
) -> None:
    """Check that labels are n whole numbers, from 0 to classes - 1."""
    given = described(labels)
    if given in [f"{dtype} of shape ({n},)" for dtype in WHOLE]:
        lowest, highest = (int(x) for x in labels.aminmax())
        if lowest >= 0 and (classes is None or highest < classes):
            return
        given = f"{lowest} to {highest}"
    allowed = "none below 0" if classes is None else f"of 0..{classes - 1}"
    raise ValueError(
        f"{name} must be an integer tensor ({n},), {allowed}; got {given}"
    )


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
