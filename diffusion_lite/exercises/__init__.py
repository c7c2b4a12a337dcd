"""The checks that students call: ``check("posterior-1", answer)``.

An answer is right, with what was tried, or it is not, with the mistake that
it looks like. A check tries properties (moments, limits, identities) on
inputs drawn from its own seed, never one stored number. ``trial`` runs an
answer with care; ``forward`` and its neighbours, a module a chapter, hold
the checks.

The grader in ``classroom/`` calls the same checks for a whole class.
"""

import importlib
from dataclasses import dataclass

import torch

from diffusion_lite.exercises.state import Endless, as_usual, in_time, note
from diffusion_lite.exercises.trial import (
    ENDLESS,
    EXERCISES,
    SECONDS,
    Answer,
    Refused,
    Trial,
    shown,
    told,
)

CHAPTERS = (
    "forward",
    "posterior",
    "elbo",
    "denoiser",
    "training",
    "gan",
    "families",
    "contest",
    "score",
    "fast",
    "guidance",
)


@dataclass(frozen=True, repr=False)
class Verdict:
    """Whether an answer is right, and what the reader is told."""

    passed: bool
    text: str

    def __repr__(self) -> str:
        return ("Right: " if self.passed else "Not yet. ") + self.text

    def __bool__(self) -> bool:
        return self.passed


def check(name: str, answer: Answer, *, seed: int = 0) -> Verdict:
    """Return whether an answer to an exercise is right, and why not.

    The seed is that of the check's own inputs: whatever it is, a right
    answer passes. The reader's seeds are neither used nor changed, and
    what the notebook has set is set back for the while (``state``).

    Raises:
        ValueError: there is no such exercise, or no such seed.
    """

    def asked() -> Verdict:
        with torch.random.fork_rng(devices=[]):
            return verdict(name, answer, seed)

    return as_usual(asked)


def verdict(name: str, answer: Answer, seed: int) -> Verdict:
    """Return what ``check`` does, under the state that is there."""
    if name not in names():
        raise ValueError(f"name must be one of {names()}, got {name!r}")
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ValueError(f"seed must be a whole number from 0, got {seed!r}")
    if not callable(answer):
        return Verdict(
            False,
            f"That is {shown((answer,))}, and not a function. Give the "
            f'function itself, without brackets: check("{name}", its_name)',
        )
    try:
        tried = in_time(
            lambda: EXERCISES[name](Trial(answer, seed, name)), SECONDS
        )
    except Refused as refused:
        return Verdict(False, str(refused))
    except (Endless, TimeoutError):  # here, or over there
        return Verdict(False, ENDLESS)
    except BaseException as error:  # whatever an answer may return
        return Verdict(
            False,
            f"The check stops with {told(error)}{note()} Restart the kernel; "
            "if it still does, what the function returns cannot be read.",
        )
    return Verdict(True, tried)


def names() -> list[str]:
    """Return the names of all exercises, in the order of the book."""
    for chapter in CHAPTERS:
        importlib.import_module(f"diffusion_lite.exercises.{chapter}")
    return list(EXERCISES)
