"""The state under which answers are asked, in a lab and by the grader alike.

A notebook may leave behind another default dtype, warnings that are errors,
an alarm, a function of PyTorch that it replaced. ``as_usual`` sets back what
belongs to the process, and gives it back afterwards. What belongs to a
thread (gradients, autocast, default device, function modes, NumPy's errors)
is as usual in the thread of its own that ``in_time`` asks in.
"""

import builtins
import ctypes
import io
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from itertools import repeat
from operator import is_
from pkgutil import iter_modules
from types import BuiltinFunctionType
from typing import Any

import torch

import diffusion_lite

# Where Python looks, from below here, for what is called builtin.
globals()["__builtins__"] = vars(builtins).copy()

PATIENCE = 5
"""How many seconds of a clock count as one, where a process has to wait."""

PLACES = re.compile(
    r"torch|(abc|builtins|collections|contextlib|copy|copyreg|dataclasses"
    r"|diffusion_lite|functools|importlib|inspect|io|itertools|math"
    r"|numbers|numpy|operator|os|random|re|sys|threading|time|traceback|types"
    r"|warnings|weakref|torch\.(autograd|fft|func|functional|linalg|nn"
    r"|optim|overrides|random|special))(\.(?!_|exercises)\w+)*"
)
"""The modules that a notebook may have changed, or whose classes."""

HOOKS_OF_PYTHON = (
    (sys, "excepthook"),
    (sys, "unraisablehook"),
    (threading, "excepthook"),
)
"""What kernels and test runners replace, too: they need only be callable."""

FREE = (
    "Storage",
    "step",
    "manual_seed",
    "showwarning",
    "_showwarnmsg_impl",
    "excepthook",
    "unraisablehook",
    "find_distributions",
    *("tzname", "timezone", "altzone", "daylight"),
)
"""What others replace, too: default dtypes, optimizers, pytest, packaging.

PyTorch itself replaces manual_seed, as soon as it loads its compiler.
"""

MISSING = object()

changed: list[str] = []
"""What is not as the notebook left it, while an answer is asked."""


def lasting(place: Any, name: str) -> bool:
    """Return whether a module or a class should hold this for good.

    Those are functions, classes, properties, and a module's constants.
    """
    value = vars(place)[name]
    constant = name[0] != "_" and type(value) not in (list, dict, set)
    return name not in FREE and (
        callable(value)
        or hasattr(type(value), "__get__")
        or (constant and not isinstance(place, type))
    )


def places(modules: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield modules and their classes: title, place, what lasts, names.

    IPython replaces builtins that are no functions of C, as exit.
    """
    found = {id(module): (name, module) for name, module in modules.items()}
    for module in modules.values():
        for name, value in vars(module).items():
            if issubclass(type(value), type) and name[0] != "_":
                found.setdefault(id(value), (value.__name__, value))
    for title, place in found.values():
        usual = {
            name: value
            for name, value in vars(place).items()
            if lasting(place, name)
            and (
                place not in (builtins, sys)
                or isinstance(value, (type, BuiltinFunctionType))
            )
        }
        yield title, place, usual, {*vars(place)}


class Loaded:
    """A place that holds all modules."""

    def __init__(self) -> None:
        self.__dict__ = sys.modules


for each in iter_modules(diffusion_lite.__path__):
    if not each.ispkg and each.name != "plotting":  # it takes long to load
        import_module(f"diffusion_lite.{each.name}")
LOADED = {k: v for k, v in sys.modules.items() if PLACES.match(k)}
MODULES = {k: v for k, v in LOADED.items() if PLACES.fullmatch(k)}
USUAL = [*places(MODULES), ("sys.modules", Loaded(), LOADED, ())]
HOOKS: list[dict[Any, Any]] = [
    value
    for module in MODULES.values()
    for name, value in vars(module).items()
    if name.startswith("_global_") and isinstance(value, dict)
]


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


def callable_or(usual: Any) -> Callable[[Any], Any]:
    """Return what gives back a function as it is, and else the usual one."""
    return lambda now: now if callable(now) else usual


def set_hooks(hooks: list[dict[Any, Any]]) -> None:
    """Set what all modules and optimizers call by the way."""
    for held, new in zip(HOOKS, hooks, strict=True):
        held.clear()
        held.update(new)


def attribute(of: Any, name: str, wanted: Any) -> tuple[Any, ...]:
    """Return how an attribute, or None, is read and set, and what to."""
    return (
        lambda: getattr(of, name, None),
        lambda value: setattr(of, name, value),
        wanted,
    )


def pair(of: Any, name: str, wanted: Any) -> tuple[Any, ...]:
    """Return the functions that get and set something, and what to."""
    return getattr(of, f"get{name}"), getattr(of, f"set{name}"), wanted


TIMERS: dict[str, tuple[Any, ...]] = {
    f"an alarm ({name})": (
        partial(signal.getitimer, value),
        lambda to, value=value, put=signal.setitimer: put(value, *to),
        (0.0, 0.0),
    )
    for name, value in vars(signal).items()
    if name.startswith("ITIMER_")
}
"""What may interrupt at any time: how to read it, to set it, and to what."""

TRACE, PROFILE = threading.gettrace(), threading.getprofile()
PATH, FINDERS = list(sys.path), list(sys.meta_path)
MULTIPLIED = (
    torch.backends,
    *(
        getattr(torch.backends.mkldnn, name)
        for name in ("matmul", "conv", "rnn")
    ),
)

SWITCHES: dict[str, tuple[Any, ...]] = {
    "the default dtype": pair(torch, "_default_dtype", torch.float32),
    "deterministic algorithms": pair(torch, "_deterministic_debug_mode", 0),
    "the search for anomalies": (
        torch.is_anomaly_enabled,
        torch.set_anomaly_enabled,
        False,
    ),
    **{
        f"the precision of products ({number})": attribute(
            of, "fp32_precision", lambda now: now if now == "ieee" else "none"
        )
        for number, of in enumerate(MULTIPLIED)
    },
    "hooks of all modules": (
        lambda: [*map(dict, HOOKS)],
        set_hooks,
        [{}] * len(HOOKS),
    ),
    "warnings as errors": (
        lambda: list(warnings.filters),
        set_filters,
        no_error,
    ),
    "the limit of recursion": pair(
        sys, "recursionlimit", lambda n: max(n, 1000)
    ),
    "the turns of threads": pair(sys, "switchinterval", lambda n: min(n, 0.1)),
    "threading.settrace": pair(threading, "trace", lambda now: TRACE),
    "threading.setprofile": pair(threading, "profile", lambda now: PROFILE),
    "the stack of threads": (  # asked how large it is, it is as usual
        *[threading.stack_size] * 2,
        0,
    ),
    "sys.path": attribute(sys, "path", with_ours(PATH)),
    "sys.meta_path": attribute(sys, "meta_path", with_ours(FINDERS)),
    "sys.stdout": attribute(sys, "stdout", open_one),
    "sys.stderr": attribute(sys, "stderr", open_one),
    **{
        f"{of.__name__}.{name}": attribute(
            of, name, callable_or(getattr(of, name))
        )
        for of, name in HOOKS_OF_PYTHON
    },
}
"""What else belongs to the process, likewise."""


def as_usual(call: Callable[[], Any]) -> Any:
    """Return what a call returns, made under the usual state.

    ``changed`` then says what a notebook had changed in its process.
    """
    known = len(changed)
    undo: list[Any] = []
    try:
        for name in TIMERS:
            turn(name, TIMERS[name], undo)
        for place in USUAL:
            put_back(place, undo)
        for name in SWITCHES:
            turn(name, SWITCHES[name], undo)
        return call()
    finally:
        while undo:
            undo.pop()()
        del changed[known:]


def turn(name: str, ways: tuple[Any, ...], undo: list[Any]) -> None:
    """Set a switch to what is wanted; the last of undo sets it back."""
    get, put, wanted = ways
    try:
        now = get()
        undo.append(partial(switch, get, put, now))
        to = wanted(now) if callable(wanted) else wanted
        if switch(get, put, to):
            changed.append(name)
    except Exception:
        changed.append(f"{name} (in vain)")


def switch(get: Callable[..., Any], put: Callable[..., Any], to: Any) -> bool:
    """Set something to what it is to be; return whether it was not."""
    other = get() is not to and get() != to
    if other:
        put(to)
    return other


def put_back(known: tuple[Any, ...], undo: list[Any]) -> None:
    """Put back what was replaced; the last of undo take it out again.

    A class may also have a new one, before that of the class it extends.
    """
    title, place, usual, names = known
    now, extended = vars(place).copy(), getattr(place, "__mro__", ())[1:]
    same = map(is_, map(now.get, usual, repeat(MISSING)), usual.values())
    if all(same) and (len(now) == len(names) or not extended):
        return
    new = {
        name
        for base in extended
        for name in (now.keys() - names) & vars(base).keys()
        if lasting(base, name)
    }
    for name in [*usual, *new]:
        value = now.get(name, MISSING)
        if value is not usual.get(name, MISSING):
            changed.append(f"{title}.{name}")
            restore(place, name, usual.get(name, MISSING))
            undo.append(partial(restore, place, name, value))


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
