"""Whatever an answer returns or does, what is said of it is about it."""

import functools
import re
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diffusion_lite.exercises import check, names
from diffusion_lite.exercises.trial import versus
from test_exercises import of_all_labs

UNCLEAR = ("cannot be read", "has no attribute", "Traceback", "takes 1")


@pytest.fixture(scope="module")
def solution():
    return of_all_labs("solution")


def each(change):
    """Return what changes every tensor of a result, however it is packed."""

    def changed(result):
        if isinstance(result, (tuple, list)):
            return type(result)(changed(part) for part in result)
        if isinstance(result, float):
            result = torch.tensor(result, dtype=torch.float64)
        return change(result) if isinstance(result, Tensor) else result

    return changed


def another(result):
    """Return an iterator over a result."""
    yield result


def quantized(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it will be gone some day
        return torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)


ODD = {
    "None": lambda result: None,
    "an array": each(lambda x: x.detach().numpy()),
    "a list": each(lambda x: x.tolist()),
    "a nested list": lambda result: [[result]],
    "a float": each(lambda x: float(x.detach().double().mean())),
    "a NumPy float": each(lambda x: np.float64(x.detach().mean())),
    "float16": each(Tensor.half),
    "bfloat16": each(Tensor.bfloat16),
    "float32": each(Tensor.float),
    "int": each(Tensor.long),
    "bool": each(Tensor.bool),
    "uint8": each(lambda x: x.to(torch.uint8)),
    "complex": each(lambda x: x.to(torch.complex64)),
    "another axis": each(lambda x: x[None]),
    "one more row": each(lambda x: torch.cat([x.flatten(), torch.ones(1)])),
    "flat": each(Tensor.flatten),
    "nothing": each(lambda x: x.new_zeros(0)),
    "a parameter": each(lambda x: nn.Parameter(x.detach().float())),
    "a slope": each(lambda x: x.detach().double().requires_grad_()),
    "detached": each(Tensor.detach),
    "no device": each(lambda x: x.to("meta")),
    "sparse": each(lambda x: x.detach().to_sparse()),
    "quantized": each(lambda x: quantized(x.detach().float())),
    "an iterator": another,
    "a tuple": lambda result: (result,),
    "a pair": lambda result: (result, result),
    "three": lambda result: (result, 1, 2),
    "a dict": lambda result: {"x": result},
    "a string": str,
    "nan": each(lambda x: x * torch.nan),
    "infinite": each(lambda x: x + torch.inf),
    "a function": lambda result: lambda *given: result,
    "a module": lambda result: nn.Linear(2, 2),
    "a class": lambda result: type(result),
    "long doubles": each(lambda x: x.detach().numpy().astype("longdouble")),
    "an array of objects": lambda result: np.array([result, None], object),
    "a masked array": each(lambda x: np.ma.array(x.detach().numpy())),
}


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("kind", ODD)
def test_what_is_returned_oddly_is_told(name, kind, solution):
    def answer(*given, **named):
        return ODD[kind](solution[name](*given, **named))

    text = check(name, answer).text
    assert 0 < len(text) < 1000
    assert not any(sign in text for sign in UNCLEAR), text


def inside(change):
    """Return what does a change to what the answer's answer returns."""

    def changed(result):
        if not callable(result) or isinstance(result, nn.Module):
            return change(result)
        return lambda *given, **named: change(result(*given, **named))

    return changed


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", ["posterior-3", "denoiser-4"])
def test_what_its_function_or_network_returns_is_told(name, kind, solution):
    class Net(nn.Module):
        def __init__(self, *given):
            super().__init__()
            self.net = solution["denoiser-4"](*given)

        def forward(self, *given, **named):
            return ODD[kind](self.net(*given, **named))

    def answer(*given):
        return inside(ODD[kind])(solution[name](*given))

    text = check(name, Net if name == "denoiser-4" else answer).text
    assert not any(sign in text for sign in UNCLEAR), text


def prints(answer, *given):
    print("here", given)
    return answer(*given)


def spoils(answer, *given):
    result = answer(*given)
    for value in given:
        if isinstance(value, Tensor) and value.is_floating_point():
            value.detach().add_(1)
    return result


def raises(answer, *given):
    raise AssertionError


def gives_back(answer, *given):
    return given[0]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("does", [prints, spoils, raises, gives_back])
def test_what_is_done_oddly_is_told(name, does, solution):
    verdict = check(name, functools.partial(does, solution[name]))
    assert verdict.passed == (does is prints) or does is spoils, verdict
    assert not any(sign in verdict.text for sign in UNCLEAR), verdict


@pytest.mark.parametrize(
    ("yours", "right"), [(0.8568300001, 0.85683), (1.0, 1 - 2**-53), (0, 1e-9)]
)
def test_two_numbers_that_differ_are_told_apart(yours, right):
    _, mine, *_, its = re.findall(r"[\w.-]+", versus(yours, right)[:-1])
    assert mine != its


@pytest.mark.parametrize("name", names())
def test_rough_numbers_are_said_to_be_rough(name, solution):
    def rough(*given):
        return each(Tensor.bfloat16)(solution[name](*given))

    verdict = check(name, rough)
    packed = name in ("posterior-3", "denoiser-4", "gan-4", "training-2")
    whole = name in ("fast-2", "contest-3")  # steps, operations: not rounded
    assert (
        "in bfloat16, which has about three" in verdict.text or packed or whole
    )
