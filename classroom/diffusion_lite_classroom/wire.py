"""Carry values over a pipe: as JSON, and with distrust.

Whoever sits at the other end may send anything. A message is a length and
then a JSON object, never a pickle; what is not a message, or not a value
of the kinds below, ends the talk with ``Lost``.
"""

import base64
import json
import math
import re
import time
from collections.abc import Callable
from numbers import Integral, Real
from socket import socket
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from diffusion_lite.exercises.trial import (
    Network,
    as_tensor,
    network,
    strange,
)
from diffusion_lite.schedules import Schedule

LARGEST = 16 * 2**20
"""How many bytes a message may have."""

LONGEST = 2000
"""How many letters a text may have; the rest is cut off."""

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool,
        torch.uint8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.complex128,
    )
}


class Lost(Exception):
    """The other end is gone, too late, or sends what nobody can read."""


class Late(Lost, TimeoutError):
    """The other end does not answer in time."""


class Pipe:
    """A socket that carries messages, until a deadline and no further."""

    def __init__(self, end: socket) -> None:
        self.end = end
        self.allow(math.inf, math.inf)

    def allow(
        self,
        seconds: float,
        size: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set how long from now, and for how many bytes, it may go on."""
        self.clock, self.deadline = clock, clock() + seconds
        self.left = size

    def send(self, message: dict) -> None:
        """Send a message.

        Raises:
            ValueError: it is too large, or not JSON; nothing is sent.
            Lost: it does not arrive.
        """
        data = json.dumps(message).encode()
        if len(data) > LARGEST:
            raise ValueError(f"{len(data):,} bytes are too many to hand over")
        try:
            self.wait()
            self.end.sendall(len(data).to_bytes(4, "big") + data)
        except OSError as error:
            raise Lost(f"nobody listens any more: {error}") from None

    def receive(self) -> dict:
        """Return the next message.

        Raises:
            Lost: none comes, or none that can be read.
        """
        size = int.from_bytes(self.exactly(4), "big")
        if size > min(LARGEST, self.left):
            raise Lost("its process sends too much")
        self.left -= size
        try:
            message = json.loads(self.exactly(size))
        except (ValueError, RecursionError, MemoryError):
            raise Lost("its process sends what is no message") from None
        if not isinstance(message, dict):
            raise Lost("its process sends what is no message")
        return message

    def exactly(self, size: int) -> bytes:
        """Return the next bytes, as many as asked for."""
        data = bytearray()
        while len(data) < size:
            try:
                self.wait()
                part = self.end.recv(min(size - len(data), 2**16))
            except TimeoutError:
                if self.clock() < self.deadline:
                    continue  # it waits more than it computes
                raise Late("its process does not answer") from None
            except OSError:
                raise Lost("its process has ended") from None
            if not part:
                raise Lost("its process has ended")
            data += part
        return bytes(data)

    def wait(self) -> None:
        """Let the next step take as long as there is time left."""
        left = self.deadline - self.clock()
        if left <= 0:
            raise TimeoutError
        self.end.settimeout(None if left == math.inf else left)


class Writer:
    """Turns a value into JSON.

    hold(thing) gives the number by which the other end may call a thing;
    gradient(tensor) gives that of a tensor which passes gradients back.
    """

    def __init__(self, hold: Callable, gradient: Callable) -> None:
        self.hold, self.gradient = hold, gradient

    def __call__(self, value: object) -> object:
        """Return the JSON of a value; of a strange one, only its name."""
        if value is None or isinstance(value, bool):
            return value
        for kind, write in self.kinds.items():
            if isinstance(value, kind):
                return write(self, value)
        if callable(value):
            return {"function": [self.hold(value), name_of(value)]}
        return {"thing": name_of(value)}

    def integer(self, value: Integral) -> object:
        """Return a whole number, if it can be written down."""
        value = int(value)
        return value if value.bit_length() < 4000 else {"thing": "int"}

    def tensor(self, value: Tensor) -> dict:
        """Return a tensor's kind, shape and bytes."""
        dtype = str(value.dtype).removeprefix("torch.")
        if dtype not in DTYPES or strange(value):
            return {"thing": f"{strange(value)}Tensor"}
        plain = value.detach().cpu().resolve_conj().resolve_neg()
        flat = plain.flatten().clone(memory_format=torch.contiguous_format)
        raw = flat.view(torch.uint8).numpy()
        data = base64.b64encode(raw.tobytes()).decode()
        written = {"tensor": [dtype, list(value.shape), data]}
        if value.requires_grad:
            written["gradient"] = self.gradient(value)
        return written

    def array(self, value: np.ndarray) -> dict:
        """Return an array's numbers; if it holds none, its name."""
        read = as_tensor(value)
        plain = isinstance(read, Tensor)
        return self.tensor(read) if plain else {"thing": name_of(value)}

    def generator(self, value: torch.Generator) -> dict:
        """Return a seed, taken from a random generator: not its state."""
        seed = torch.randint(2**62, (), generator=value)
        return {"generator": int(seed)}

    def network(self, value: nn.Module) -> dict:
        """Return a network's parameters, and its function's number."""
        parts = network(value) if isinstance(value, nn.Module) else value
        tensors = [self(each) for each in parts.values]
        return {"network": [parts.names, tensors, self.hold(parts.function)]}

    kinds: ClassVar = {
        str: lambda self, value: value[:LONGEST],
        Integral: integer,
        Real: lambda self, value: float(value),
        complex: lambda self, value: {"complex": [value.real, value.imag]},
        Tensor: tensor,
        np.ndarray: lambda self, value: self.array(value),
        list: lambda self, value: {"list": [self(v) for v in value]},
        tuple: lambda self, value: {"tuple": [self(v) for v in value]},
        torch.Generator: generator,
        Schedule: lambda self, value: {"schedule": self(value.beta[1:])},
        (nn.Module, Network): network,
    }


class Reader:
    """Turns JSON into a value, or raises Lost.

    far(number) gives a function of the other end; gradient(tensor, number)
    what a tensor becomes through which gradients may go back.
    """

    def __init__(self, far: Callable, gradient: Callable) -> None:
        self.far, self.gradient = far, gradient

    def __call__(self, written: object) -> object:
        """Return a value.

        Raises:
            Lost: it is none that was written by a Writer.
        """
        try:
            return self.value(written)
        except Exception as error:  # whatever came over the pipe
            raise Lost(f"it hands over no value: {error}") from None

    def value(self, written: object) -> object:
        """Return a value; what is raised if it is none is not said."""
        if written is None or isinstance(written, (bool, int, float, str)):
            return written
        if "tensor" in written:
            return self.tensor(**written)
        ((kind, content),) = written.items()
        return self.kinds[kind](self, content)

    def tensor(self, tensor: list, gradient: int | None = None) -> Tensor:
        """Return a tensor of its kind, shape and bytes."""
        dtype, shape, data = tensor
        raw = bytearray(base64.b64decode(data, validate=True))
        flat = torch.empty(0, dtype=torch.uint8)
        if raw:
            flat = torch.frombuffer(raw, dtype=torch.uint8)
        if dtype == "bool":
            flat = flat.clamp(max=1)
        if not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("no shape")
        value = flat.view(DTYPES[dtype]).reshape(shape)
        return (
            value if gradient is None else self.gradient(value, int(gradient))
        )

    def network(self, content: list) -> Network:
        """Return a network, whose function is at the other end."""
        names, tensors, number = content
        values = [self.value(each) for each in tensors]
        if len(names) != len(values):
            raise ValueError("names and parameters are not as many")
        if not all(isinstance(value, Tensor) for value in values):
            raise ValueError("a parameter that is no tensor")
        names = [str(name)[:100] for name in names]
        return Network(names, values, self.far(number, "function"))

    kinds: ClassVar = {
        "complex": lambda self, parts: complex(*parts),
        "list": lambda self, parts: [self.value(v) for v in parts],
        "tuple": lambda self, parts: tuple(self.value(v) for v in parts),
        "generator": lambda self, seed: torch.Generator().manual_seed(seed),
        "schedule": lambda self, beta: Schedule.from_betas(self.value(beta)),
        "network": network,
        "function": lambda self, parts: self.far(*parts),
        "thing": lambda self, name: kind_named(name, object)(),
    }


def name_of(value: object) -> str:
    """Return the name of a value's kind."""
    return type(value).__name__[:40]


def kind_named(name: str, parent: type) -> type:
    """Return a kind with the name of one at the other end."""
    plain = r"[A-Za-z_]\w{0,39}"
    if not isinstance(name, str) or not re.fullmatch(plain, name, re.ASCII):
        name = "thing"
    return type(name, (parent,), {})


def failure(parts: list) -> Exception:
    """Return the error that the other end tells of, as its kind and text.

    Raises:
        Lost: it tells nothing of the sort.
    """
    try:
        kind, text = (str(part)[:LONGEST] for part in parts)
    except (TypeError, ValueError):
        raise Lost("its process sends what is no message") from None
    if kind == "NotImplementedError":
        return NotImplementedError(text)
    return kind_named(kind, Exception)(text)
