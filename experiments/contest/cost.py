"""What a step costs: operations that torch counts, and seconds of a core."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

T = TypeVar("T")
BURST = 20


class Count(TorchDispatchMode):
    """Add up the operations of products and convolutions, both ways.

    A multiplication and an addition are two. What torch does entry by entry
    (activations, Adam, random numbers) is not counted. torch's own
    FlopCounterMode counts the same, and fails in R1's inner gradient.
    """

    total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Call a function of torch, and count what it does."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **kwargs, out_val=result)
        return result


def operations(call: Callable[[], object]) -> int:
    """Return how many operations a call takes."""
    with Count() as counter:
        call()
    return counter.total


def pace(states: Iterator, bursts: int = 3) -> float:
    """Return the CPU seconds of a step, at the fastest of a few bursts."""
    spent = []
    for _ in range(bursts + 1):  # the first one warms up
        begin = time.process_time()
        for _ in islice(states, BURST):
            pass
        spent.append((time.process_time() - begin) / BURST)
    return min(spent[1:])


def timed(states: Iterable[T]) -> Iterator[tuple[T, float]]:
    """Yield each state with the CPU seconds that all so far have taken."""
    seconds, begin = 0.0, time.process_time()
    for state in states:
        seconds += time.process_time() - begin
        yield state, seconds
        begin = time.process_time()


def timed_call(call: Callable[[], T]) -> tuple[T, float]:
    """Return the result of a call, and the CPU seconds that it took."""
    begin = time.process_time()
    result = call()
    return result, time.process_time() - begin
