"""The state under which answers are asked, in a lab and by the grader alike.

A notebook may leave behind another default dtype, warnings that are errors,
an alarm, a function of PyTorch that it replaced. ``usual_state`` sets back
what belongs to the process, and gives it back afterwards. What belongs to a
thread (gradients, autocast, default device, function modes, NumPy's errors)
is as usual in the thread of its own that ``in_time`` asks in.
"""

import builtins
import ctypes
import io
import math
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import BuiltinFunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PATIENCE = 5
"""How many seconds of a clock count as one, where a process has to wait."""

PLACES: tuple[Any, ...] = (
    builtins,
    math,
    np,
    torch,
    torch.linalg,
    nn,
    nn.functional,
    Tensor,
    nn.Module,
)
"""Modules and classes whose functions a notebook may have replaced."""

MISSING = object()


def functions_of(place: Any) -> dict[str, Any]:
    """Return what a notebook should find in one of the places.

    IPython replaces builtins that are no functions of C, as exit.
    """
    return {
        name: value
        for name, value in vars(place).items()
        if callable(value)
        and name != "Storage"  # it goes with the default dtype
        and (
            place is not builtins
            or isinstance(value, (type, BuiltinFunctionType))
        )
    }


USUAL = [(place, functions_of(place)) for place in PLACES]
PATH, FINDERS = list(sys.path), list(sys.meta_path)

changed: list[str] = []
"""What is not as the notebook left it, while an answer is asked."""


def no_error(filters: list[Any]) -> list[Any]:
    """Return filters of warnings without those that raise."""
    kept = [each for each in filters if each[0] != "error"]
    return filters if len(kept) == len(filters) else kept


def set_filters(filters: list[Any]) -> None:
    """Let warnings go through other filters."""
    warnings.resetwarnings()  # which also forgets what was shown
    # A list in truth, and a mere sequence for typeshed.
    warnings.filters[:] = filters  # type: ignore[index]


def with_ours(ours: list[Any]) -> Callable[[list[Any]], list[Any]]:
    """Return what puts ours first, where one of them is missing."""

    def filled(now: list[Any]) -> list[Any]:
        there = all(each in now for each in ours)
        return now if there else [*ours, *now]

    return filled


def open_one(stream: Any) -> Any:
    """Return a stream that can be written to."""
    try:
        stream.write("")
        stream.flush()
    except Exception:  # it may be anything
        return io.StringIO()
    return stream


def of_sys(name: str, wanted: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Return how an attribute of sys is read and set, and what it should be.

    It is None where nobody set it: Windows has no screen for some programs.
    """
    return (
        lambda: getattr(sys, name, None),
        lambda value: setattr(sys, name, value),
        wanted,
    )


SWITCHES: dict[str, tuple[Any, ...]] = {
    "the default dtype": (
        torch.get_default_dtype,
        torch.set_default_dtype,
        lambda now: torch.float32,
    ),
    "deterministic algorithms": (
        torch.get_deterministic_debug_mode,
        torch.set_deterministic_debug_mode,
        lambda now: 0,
    ),
    "the search for anomalies": (
        torch.is_anomaly_enabled,
        torch.set_anomaly_enabled,
        lambda now: False,
    ),
    "the precision of products": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
        lambda now: "highest",
    ),
    "warnings as errors": (
        lambda: list(warnings.filters),
        set_filters,
        no_error,
    ),
    "the limit of recursion": (
        sys.getrecursionlimit,
        sys.setrecursionlimit,
        lambda now: max(now, 1000),
    ),
    "sys.path": of_sys("path", with_ours(PATH)),
    "sys.meta_path": of_sys("meta_path", with_ours(FINDERS)),
    "sys.stdout": of_sys("stdout", open_one),
    "sys.stderr": of_sys("stderr", open_one),
    "sys.excepthook": of_sys(
        "excepthook", lambda now: now if callable(now) else sys.__excepthook__
    ),
}
"""What belongs to the process: how to read it, to set it, and to what."""

if hasattr(signal, "setitimer"):
    SWITCHES["an alarm"] = (
        lambda: signal.getitimer(signal.ITIMER_REAL),
        lambda value: signal.setitimer(signal.ITIMER_REAL, *value),
        lambda now: now if now == (0, 0) else (0, 0),
    )


@contextmanager
def usual_state() -> Iterator[None]:
    """Set back what a notebook changed in its process, for a while.

    ``changed`` then says what that was.
    """
    with ExitStack() as stack:
        stack.callback(changed.__delitem__, slice(len(changed), None))
        for place, usual in USUAL:
            put_back(place, usual, stack)
        for name, (get, put, wanted) in SWITCHES.items():
            now = get()
            stack.callback(switch, get, put, now)
            if switch(get, put, wanted(now)):
                changed.append(name)
        yield


def switch(get: Callable[..., Any], put: Callable[..., Any], to: Any) -> bool:
    """Set something to what it is to be; return whether it was not."""
    other = get() is not to and get() != to
    if other:
        put(to)
    return other


def put_back(place: Any, usual: dict[str, Any], stack: ExitStack) -> None:
    """Put functions back that were replaced; the stack takes them out again.

    A class may also have a new one, before that of the class it extends.
    """
    now, extended = vars(place), getattr(place, "__mro__", (0,))[1:]
    new = [
        name
        for name in now.keys() - usual
        if any(callable(vars(base).get(name)) for base in extended)
    ]
    for name in [*usual, *new]:
        value = now.get(name, MISSING)
        if value is not usual.get(name, MISSING):
            changed.append(f"{place.__name__}.{name}")
            restore(place, name, usual.get(name, MISSING))
            stack.callback(restore, place, name, value)


def restore(place: Any, name: str, value: Any) -> None:
    """Set an attribute to what it was, or delete it if it was not there."""
    if value is MISSING:
        delattr(place, name)
    else:
        setattr(place, name, value)


def note() -> str:
    """Return what was set back, in a sentence for one who got an error."""
    if not changed:
        return ""
    more = " and more" * (len(changed) > 4)
    return (
        " While it was asked, this was set back, which the notebook had "
        f"changed: {', '.join(changed[:4])}{more}."
    )


class Endless(Exception):
    """A call did not end in time."""


def in_time(call: Callable[[], Any], seconds: float | None) -> Any:
    """Return what a call returns, or raise what it raises.

    It runs in a thread of its own, which is stopped at its next line of
    Python once it has computed for so many seconds, or waited for
    ``PATIENCE`` times as many: a busy neighbour does not count. What never
    comes to a next line is left alone: this returns all the same, unless it
    keeps the interpreter to itself, as one long sum() may.

    Raises:
        Endless: it did not end in time.
    """
    end: dict[str, Any] = {}

    def run() -> None:
        torch.set_flush_denormal(False)
        if hasattr(time, "pthread_getcpuclockid"):
            end["clock"] = time.pthread_getcpuclockid(threading.get_ident())
        with suppress(TimeoutError):  # one more, when it had ended
            try:
                end["value"] = call()
            except BaseException as error:
                end["error"] = error

    thread, start = threading.Thread(target=run, daemon=True), time.monotonic()
    thread.start()
    while thread.is_alive():
        thread.join(None if seconds is None else min(seconds, 0.5))
        if seconds is not None and spent(end.get("clock"), start) > seconds:
            break
    if thread.is_alive():
        stop(thread)
        raise Endless
    if "error" in end:
        raise end["error"]
    return end["value"]


def spent(clock: int | None, start: float) -> float:
    """Return the seconds that count of those since the start."""
    waited = time.monotonic() - start
    if clock is None:  # macOS and Windows have none for a thread
        return waited
    computed = 0.0
    with suppress(OSError):  # the thread has just ended
        computed = time.clock_gettime(clock)
    return max(computed, waited / PATIENCE)


def stop(thread: threading.Thread, tries: int = 20) -> None:
    """Raise TimeoutError in a thread, again if the thread catches it."""
    for _ in range(tries):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TimeoutError)
        )
        thread.join(0.05)
        if not thread.is_alive():
            return
