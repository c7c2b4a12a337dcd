"""Run what a reader wrote, with care, and say in words what went wrong."""

import copy
import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from diffusion_lite.exercises import state
from diffusion_lite.schedules import Schedule

SECONDS = 5.0
"""How long an answer may take, all trials of a check together."""

Answer = Callable[..., Any]
"""What a reader wrote, or a mistake: it may return anything."""

EXERCISES: dict[str, "Check"] = {}
"""Each exercise's check: from a Trial to what it tried, or Refused."""

MISTAKES = "diffusion_lite.exercises.mistakes"
"""Where they are; not imported here, for a notebook shut in has none."""


ENDLESS = (
    f"It does not end: stopped after {SECONDS:g} seconds. Is there a loop "
    "that never stops, or one over every number of a tensor?"
)


class Refused(Exception):
    """What the reader is told about an answer that is not right."""


Check = Callable[["Trial"], str]


def exercise(name: str) -> Callable[[Check], Check]:
    """Enter a check under the name of its exercise."""

    def enter(check: Check) -> Check:
        EXERCISES[name] = check
        return check

    return enter


def mistakes(name: str) -> list[Answer]:
    """Return the likely mistakes of an exercise, in their order."""
    module = importlib.import_module(f"{MISTAKES}.{name.replace('-', '_')}")
    return [
        value
        for key, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
        and not key.startswith("_")
    ]


def looked_for(name: str) -> list[Answer]:
    """Return the mistakes that are known by what they return."""
    return [
        mistake
        for mistake in mistakes(name)
        if (mistake.__doc__ or "").startswith("It looks like ")
    ]


@dataclass(frozen=True, repr=False)
class Network:
    """A network's parameters, and what it makes of them and an input.

    ``function(values, *given)`` leans on nothing but what it is given, so
    that a check can see for itself what each parameter does.
    """

    names: list[str]
    values: list[Tensor]
    function: Answer

    def __call__(self, *given: object) -> Any:
        """Return what it makes of an input, with the parameters it has."""
        return self.function(self.values, *given)


def network(module: nn.Module) -> Network:
    """Return a module's parameters, and its function of them."""
    held = dict(module.named_parameters())

    def function(values: list[Tensor], *given: object) -> Any:
        parameters = {
            name: value if held[name].requires_grad else value.detach()
            for name, value in zip(held, values, strict=True)
        }
        return functional_call(module, parameters, given)

    values = [value.detach().clone() for value in held.values()]
    return Network(list(held), values, function)


class Trial:
    """A reader's answer, called on copies; what it returns is looked at."""

    def __init__(self, answer: Answer, seed: int, name: str = "") -> None:
        self.answer, self.name = answer, name
        self.generator = torch.Generator().manual_seed(seed)

    def direct(self, *given: object) -> Any:
        """Return what the answer makes of what is given itself, no copies.

        Raises:
            Refused: it stops with an error, or returns what holds no
                numbers.
        """
        try:
            result = self.answer(*given)
        except NotImplementedError:
            raise Refused(
                "It still has to be written: replace raise."
            ) from None
        except TimeoutError:
            raise Refused(ENDLESS) from None
        except BaseException as error:
            raise Refused(
                f"With {shown(given)} it stops with {told(error)}"
                f"{state.note()}"
            ) from None
        if kind := strange(result):
            raise Refused(
                f"With {shown(given)} it returns a {kind} tensor, and not a "
                "plain one, whose numbers can be looked at."
            )
        return result

    def call(self, *given: object) -> Any:
        """Return what the answer makes of copies of what is given.

        Raises:
            Refused: it stops with an error, returns nothing, or changes
                what it was given.
        """
        copies = tuple(own(value) for value in given)
        result = self.direct(*copies)
        if result is None:
            raise Refused(
                f"With {shown(given)} it returns None: is there a return line?"
            )
        for before, after in zip(given, copies, strict=True):
            pairs = zip(tables(before), tables(after), strict=True)
            if not all(torch.equal(*pair) for pair in pairs):
                raise Refused(
                    "It changes what it is given. Make a new tensor: x * 2 "
                    "and not x *= 2."
                )
        return result

    def number(self, *given: object) -> float:
        """Return what the answer makes of it, if that is one number."""
        result = self.call(*given)
        return one_number(result, f"With {shown(given)} it returns")

    def tensor(self, *given: object, shape: tuple[int, ...]) -> Tensor:
        """Return what the answer makes of it, if it is (*shape), finite."""
        result = self.call(*given)
        return one_tensor(result, shape, f"With {shown(given)} it returns")

    def pair(self, *given: object) -> tuple[Any, ...]:
        """Return what the answer makes of it, if that is two things."""
        result = as_tensor(self.call(*given))
        many = isinstance(result, (tuple, list, Tensor))
        if isinstance(result, Tensor) and result.ndim == 0:
            many = False
        if not many or len(result) != 2:
            raise Refused(
                f"With {shown(given)} it returns {shown((result,))}, and not "
                "two things: return a, b"
            )
        return tuple(result)

    def network(self, *given: object) -> Network:
        """Return what the answer makes of it, if that is a network."""
        result = self.call(*given)
        if isinstance(result, nn.Module):
            result = network(result)
        if not isinstance(result, Network):
            raise Refused("Return the network: an nn.Module.")
        return result

    def looks_like(
        self,
        got: float | Tensor,
        made: Callable[[Answer], Any],
        share: float = 1e-4,
    ) -> str:
        """Return what the first mistake is told that comes to what was got.

        ``made(mistake)`` is what the check makes of a mistake, as it made
        what it got of the answer. A sentence, or nothing if none comes to it.
        """
        for mistake in looked_for(self.name):
            if same(made(mistake), got, share):
                return f" {mistake.__doc__}"
        return ""

    def agrees(
        self,
        got: float | Tensor,
        want: float | Tensor,
        where: str,
        made: Callable[[Answer], Any],
        share: float = 1e-4,
        otherwise: str = "",
    ) -> None:
        """Refuse what is not as it must be, where it is furthest off.

        The refusal says where, both numbers, and the mistake it looks like,
        or, if it looks like none, what is told otherwise.
        """
        if not near(got, want, share):
            n = worst(got, want)
            right = torch.as_tensor(want).expand_as(torch.as_tensor(got))
            both = versus(flat(got)[n], flat(right)[n])
            told = self.looks_like(got, made, min(share, 1e-4))
            told = told or otherwise
            raise Refused(f"{where}: {both}{told}")

    def told_apart(
        self, some: Callable[[], tuple[Any, ...]], right: Answer, apart: float
    ) -> tuple[Any, ...]:
        """Return what some() gives where all mistakes and right differ.

        The numbers that they come to are further apart than that.
        """
        while True:
            given = some()
            answers = [right, *looked_for(self.name)]
            numbers = sorted(float(answer(*given)) for answer in answers)
            if all(high - low > apart for low, high in pairwise(numbers)):
                return given

    def uniform(self, low: float, high: float) -> float:
        """Return a number by chance, evenly from low to high."""
        part = torch.rand((), generator=self.generator)
        return low + (high - low) * float(part)

    def integer(self, low: int, high: int) -> int:
        """Return a whole number by chance, low and high included."""
        part = torch.randint(low, high + 1, (), generator=self.generator)
        return int(part)

    def one(self, value: float) -> Tensor:
        """Return a value as a float64 tensor (1,)."""
        return torch.tensor([value], dtype=torch.float64)

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers in float64."""
        return torch.randn(*shape, generator=self.generator).double()


def tables(value: object) -> tuple[Tensor, ...]:
    """Return the tensors that a given value holds."""
    if isinstance(value, Schedule):
        return value.beta, value.alpha, value.alpha_bar
    return (value,) if isinstance(value, Tensor) else ()


def as_tensor(value: object) -> Any:
    """Return an array of numbers as a tensor, and all else as it is."""
    if isinstance(value, np.ndarray):
        with suppress(TypeError, ValueError):  # of objects, or texts
            return torch.tensor(np.asarray(value))
    return value


def strange(value: object) -> str:
    """Return the kind of a tensor that is not a plain one, or "".

    It may stand in a tuple or a list.
    """
    if isinstance(value, (tuple, list)):
        return next(filter(None, map(strange, value)), "")
    if not isinstance(value, Tensor):
        return ""
    kinds = {
        "meta": value.is_meta,
        "sparse": value.layout != torch.strided,
        "quantized": value.is_quantized,
    }
    return next((kind for kind, there in kinds.items() if there), "")


def expect_digits(value: Tensor, says: str) -> None:
    """Refuse numbers that are too rough to be looked at."""
    if value.dtype in (torch.float16, torch.bfloat16):
        kind = str(value.dtype).removeprefix("torch.")
        raise Refused(
            f"{says} numbers in {kind}, which has about three digits. "
            "Compute in the dtype of what is given."
        )


def own(value: object) -> Any:
    """Return a copy that the answer may spoil; chance is not copied."""
    if isinstance(value, torch.Generator):
        return value
    return copy.deepcopy(value)


def one_number(value: object, says: str) -> float:
    """Return a value as a float.

    Raises:
        Refused: it is not one finite number; says is how that is told.
    """
    value = as_tensor(value)
    if isinstance(value, Tensor) and value.numel() == 1:
        expect_digits(value, says)
        value = value.detach().cpu().item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise Refused(f"{says} {shown((value,))}, and not a number.")
    if not math.isfinite(value):
        raise Refused(f"{says} {value}: a division by 0, a log of 0?")
    return float(value)


def one_tensor(value: object, shape: tuple[int, ...], says: str) -> Tensor:
    """Return a value as a float64 tensor without gradient.

    Raises:
        Refused: it is no tensor (*shape), or not finite.
    """
    value = as_tensor(value)
    if not isinstance(value, Tensor):
        raise Refused(
            f"{says} {shown((value,))}, and not a tensor: torch.tensor(...) "
            "makes one."
        )
    value = value.as_subclass(Tensor)
    if tuple(value.shape) != tuple(shape):
        raise Refused(
            f"{says} a tensor of the shape {tuple(value.shape)}; it must be "
            f"{tuple(shape)}."
        )
    if value.is_complex():
        raise Refused(f"{says} complex numbers: a root of something below 0?")
    expect_digits(value, says)
    value = value.detach().cpu().double()
    if not bool(value.isfinite().all()):
        raise Refused(f"{says} numbers that are not finite.")
    return value


def finite(value: object) -> bool:
    """Return whether no number in it is infinite or nan, if it holds any."""
    value = as_tensor(value)
    if isinstance(value, Tensor):
        return bool(value.isfinite().all())
    return not isinstance(value, float) or math.isfinite(value)


def expect(good: bool, otherwise: str) -> None:
    """Refuse the answer, in these words, unless all is good."""
    if not good:
        raise Refused(otherwise)


@contextmanager
def advising(advice: str, *signs: str) -> Iterator[None]:
    """Add advice to a refusal, if one of the signs is found in its text."""
    try:
        yield
    except Refused as refused:
        if not any(sign in str(refused) for sign in signs):
            raise
        raise Refused(f"{str(refused).rstrip('.')}. {advice}") from None


def near(a: float | Tensor, b: float | Tensor, share: float = 1e-4) -> bool:
    """Return whether a is b, but for a small share of b's size."""
    a, b = torch.as_tensor(a).double(), torch.as_tensor(b).double()
    return bool(((a - b).abs() <= share * b.abs().max() + 1e-7).all())


def same(a: Any, b: float | Tensor, share: float) -> bool:
    """Return whether a has b's shape, and is b but for a small share."""
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    return a.numel() == b.numel() and near(a.reshape(b.shape), b, share)


def flat(value: float | Tensor) -> list[float]:
    """Return the numbers of a tensor, or the one."""
    return torch.as_tensor(value).flatten().tolist()


def worst(got: float | Tensor, want: float | Tensor) -> int:
    """Return at which entry, counted through all, two differ most."""
    off = torch.as_tensor(got) - torch.as_tensor(want)
    return int(off.abs().argmax())


def versus(yours: float | Tensor, right: float | Tensor) -> str:
    """Return two numbers, with as many digits as tell them apart."""
    for digits in range(4, 18):
        mine, its = (f"{float(x):.{digits}g}" for x in (yours, right))
        if mine != its:
            break
    return f"yours {mine}, should be {its}."


def shown(given: tuple[Any, ...]) -> str:
    """Return what is given in a few words."""
    words = []
    for value in given:
        many = isinstance(value, Tensor) and value.numel() > 4
        if many or (isinstance(value, Tensor) and value.is_complex()):
            words.append(f"a tensor {tuple(value.shape)}")
        elif isinstance(value, Tensor):
            words.append(f"{[round(x, 4) for x in value.flatten().tolist()]}")
        elif isinstance(value, float):
            words.append(f"{value:.4g}")
        elif isinstance(value, int) and abs(value) >= 10**30:
            words.append("a huge number")
        elif isinstance(value, str):
            words.append(f"{value[:40]!r}")
        elif isinstance(value, (int, bool, type(None))):
            words.append(repr(value))
        else:
            words.append(f"a {type(value).__name__}")
    return ", ".join(words)


def told(error: BaseException) -> str:
    """Return an error's kind and text, cut short, whatever its text does."""
    kind = type(error).__name__
    try:
        text = str(error)
    except BaseException:
        return kind
    return f"{kind}: {text[:300]}{'...' * (len(text) > 300)}"
