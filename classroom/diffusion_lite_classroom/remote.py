"""Call functions that are in another process, as if they were here.

Each end of a pipe is a ``Peer``. It holds functions that the other end may
call by a number, and calls the other's as a ``Remote``. A check that gives
its own function to a student's therefore works unchanged: the student's
process calls back. So do gradients: going back through a far call asks the
other end for its part of the chain rule.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from diffusion_lite.exercises import state
from diffusion_lite.exercises.trial import tables
from diffusion_lite.schedules import Schedule
from diffusion_lite_classroom.wire import (
    Lost,
    Pipe,
    Reader,
    Writer,
    failure,
    kind_named,
)


class Peer:
    """One end of a pipe: it asks the other end, and answers it."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self.held: list = []
        self.waiting = 0

    @property
    def at_rest(self) -> bool:
        """Whether every question has had its answer."""
        return self.waiting == 0

    def hold(self, thing: object) -> int:
        """Return the number by which the other end may use a thing."""
        self.held.append(thing)
        return len(self.held) - 1

    def far(self, number: int, kind: str) -> "Remote":
        """Return a function of the other end, of the kind that it has."""
        return kind_named(kind, Remote)(self, int(number))

    # ---- asking ------------------------------------------------------------

    def ask(self, question: dict) -> dict:
        """Return the reply to a question; on the way, answer the other's.

        Raises:
            Exception: of the kind and with the text that the reply names.
            Lost: there is no reply.
        """
        self.waiting += 1
        self.pipe.send(question)
        while True:
            message = self.pipe.receive()
            if not {"call", "pull"} & message.keys():
                break
            self.answer(message)
        self.waiting -= 1
        if "error" in message:
            raise failure(message["error"])
        return message

    def call(self, number: int, given: list, names: list) -> object:
        """Return what the other end's function makes of what is given."""
        inputs: list[Tensor] = []

        def entered(tensor: Tensor) -> int:
            inputs.append(tensor)
            return len(inputs) - 1

        def returned(tensor: Tensor, number: int) -> Tensor:
            anchor = torch.empty(0, requires_grad=True)
            return FarGradient.apply(self, number, tensor, anchor, *inputs)

        write = Writer(self.hold, entered)
        question = {"call": number, "given": [write(v) for v in given]}
        reply = self.ask(question | {"names": names})
        read = Reader(self.far, returned)
        try:
            follow(given, read(reply.get("after")))
        except (TypeError, ValueError, IndexError, AttributeError):
            raise Lost("its process sends what is no message") from None
        return read(reply.get("value"))

    def pull(self, number: int, gradient: Tensor, inputs: list) -> list:
        """Return the gradients of a far result in what was given for it."""
        write, read = Writer(self.hold, None), Reader(self.far, None)
        reply = self.ask({"pull": number, "gradient": write(gradient)})
        gradients = read(reply.get("value"))
        if not fits(gradients, inputs):
            raise Lost("its process sends gradients that do not fit")
        return gradients

    # ---- answering ---------------------------------------------------------

    def answer(self, question: dict) -> None:
        """Answer a question of the other end: a value, or an error."""
        try:
            if "call" in question:
                reply = self.called(question)
            else:
                reply = self.pulled(question)
            self.pipe.send(reply)
        except Lost:
            raise
        except BaseException as error:
            self.pipe.send({"error": told(error)})

    def called(self, question: dict) -> dict:
        """Return what a held function makes of what is given."""
        leaves: list[Tensor] = []

        def entered(tensor: Tensor, _: int) -> Tensor:
            leaves.append(tensor.requires_grad_())
            return tensor

        def returned(tensor: Tensor) -> int:
            return self.hold((tensor, leaves))

        read = Reader(self.far, entered)
        given = [read(value) for value in question["given"]]
        names = question["names"]
        before = [remembered(value) for value in given]
        plain = given[: len(given) - len(names)]
        named = dict(zip(names, given[len(plain) :], strict=True))
        value = self.held[question["call"]](*plain, **named)
        after = [change(*pair) for pair in zip(before, given, strict=True)]
        write = Writer(self.hold, returned)
        return {"value": write(value), "after": Writer(self.hold, None)(after)}

    def pulled(self, question: dict) -> dict:
        """Return the gradients of a held result in what was given for it."""
        result, leaves = self.held[question["pull"]]
        gradients = torch.autograd.grad(
            result,
            leaves,
            Reader(self.far, None)(question["gradient"]),
            retain_graph=True,
            allow_unused=True,
        )
        return {"value": Writer(self.hold, None)(list(gradients))}


class Remote:
    """A function of the other end."""

    def __init__(self, peer: Peer, number: int) -> None:
        self.peer, self.number = peer, number

    def __call__(self, *given: object, **named: object) -> object:
        """Return what it makes there of what is given."""
        values = [*given, *named.values()]
        return self.peer.call(self.number, values, list(named))


class FarGradient(torch.autograd.Function):
    """The result of a far call, with a way back for gradients.

    It has gradients even where nothing that was given has any, for there may
    be some at the other end: the anchor sees to that.
    """

    @staticmethod
    def forward(ctx, peer, number, result, anchor, *inputs) -> Tensor:
        """Return the result; remember where it came from."""
        ctx.peer, ctx.number = peer, number
        ctx.save_for_backward(*inputs)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple:
        """Return the gradients in the inputs, as the other end has them."""
        inputs = ctx.saved_tensors
        gradients = (
            ctx.peer.pull(ctx.number, gradient, inputs) if inputs else []
        )
        return None, None, None, None, *gradients


def fits(gradients: object, inputs: tuple) -> bool:
    """Return whether there is a gradient, or None, for each input."""
    return (
        isinstance(gradients, list)
        and len(gradients) == len(inputs)
        and all(
            gradient is None
            or (
                isinstance(gradient, Tensor)
                and gradient.shape == each.shape
                and gradient.dtype == each.dtype
            )
            for gradient, each in zip(gradients, inputs, strict=True)
        )
    )


def told(error: BaseException) -> list:
    """Return an error's kind and text, whatever its text does."""
    try:
        return [type(error).__name__, f"{error}{state.note()}"]
    except BaseException:
        return [type(error).__name__, ""]


# ---- what a call changes in what it is given --------------------------------


def remembered(value: object) -> object:
    """Return what is needed to see later how a given value was changed."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, Schedule):
        return [table.clone() for table in tables(value)]
    if isinstance(value, list):
        return [(each, remembered(each)) for each in value]
    return None


def change(before: object, value: object) -> object:
    """Return how a value was changed: None, a tensor, or a list's parts.

    A part is (where it was before, or -1 if it is new; how it changed).
    """
    if isinstance(value, Tensor):
        same = value.shape == before.shape and torch.equal(value, before)
        return None if same else value.detach()
    if isinstance(value, Schedule):
        now = list(tables(value))
        return None if all(map(torch.equal, before, now)) else now
    if not isinstance(value, list):
        return None
    parts = []
    for new in value:
        place = [i for i, (old, _) in enumerate(before) if old is new]
        moved = change(before[place[0]][1], new) if place else new
        parts.append((place[0] if place else -1, moved))
    untouched = [(i, None) for i in range(len(before))]
    return None if parts == untouched else parts


def follow(given: list, after: object) -> None:
    """Change what was given here as the other end changed its copies."""
    for value, moved in zip(given, after, strict=True):
        if isinstance(value, Tensor) and isinstance(moved, Tensor):
            overwrite(value, moved)
        elif isinstance(value, Schedule) and isinstance(moved, list):
            for table, spoiled in zip(tables(value), moved, strict=True):
                overwrite(table, spoiled)
        elif isinstance(value, list) and isinstance(moved, list):
            replace(value, moved)


def overwrite(value: Tensor, moved: Tensor) -> None:
    """Put other numbers into a tensor; another shape, if need be."""
    if value.shape == moved.shape and value.dtype == moved.dtype:
        with torch.no_grad():
            value.copy_(moved)
    else:
        value.data = moved


def replace(values: list, parts: list) -> None:
    """Change a list's tensors, and put new ones where there are new ones."""
    old = list(values)
    values.clear()
    for place, moved in parts:
        if place >= 0 and isinstance(moved, Tensor):
            overwrite(old[place], moved)
        values.append(old[place] if place >= 0 else moved)
