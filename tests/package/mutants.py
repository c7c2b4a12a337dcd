"""Famous wrong formulas: each stands beside the test that must notice it.

A mutant is a wrong version, that somebody published, of one function.
``@mutant(...)`` on a test names it. Beside the test itself pytest then runs
it once more (see conftest.py), with the wrong function wherever the right
one is in use, and reports a failure if the test passes all the same. The
numbers in the names are those of the collection that the book's "Common
mistakes" draw on.
"""

import inspect
import sys
from typing import NamedTuple

import pytest

USERS = ("diffusion_lite.", "experiments.", "test_")  # modules to change


class Mutant(NamedTuple):
    """A wrong function, and what it stands in for."""

    name: str
    right: object  # a function, or (class, name of a method or a property)
    wrong: object  # if its first argument is ``right``, it gets the right one


def mutant(*args):
    """Return a decorator: this test must fail with Mutant(*args) put in."""

    def beside(test):
        test.mistakes = [Mutant(*args), *getattr(test, "mistakes", ())]
        return test

    return beside


def negated(right, *args):
    return -right(*args)


def given_right(wrong, right):
    """Return wrong, with the right function at hand if it asks for it."""
    if next(iter(inspect.signature(wrong).parameters)) != "right":
        return wrong
    return lambda *args, **kwargs: wrong(right, *args, **kwargs)


def put_in(mutant, patch):
    """Put the wrong function wherever the right one is in use."""
    _, right, wrong = mutant
    if isinstance(right, tuple):
        owner, name = right
        old = vars(owner)[name]
        new = given_right(wrong, old)
        new = new if inspect.isfunction(old) else property(new)
        patch.setattr(owner, name, new)
        return
    places = [
        (module, key)
        for name, module in list(sys.modules.items())
        if name.startswith(USERS)
        for key, value in vars(module).items()
        if value is right
    ]
    if not places:
        raise LookupError(f"{mutant.name!r}: the right one is used nowhere")
    for place in places:
        patch.setattr(*place, given_right(wrong, right))


def call(test, case, generator):
    """Run one case of a test as pytest would."""
    if "generator" in inspect.signature(test).parameters:
        case = case | {"generator": generator.manual_seed(0)}
    test(**case)


def is_killed(mutant, test, case, generator):
    """Whether the case fails with the wrong function, and passes without."""
    with pytest.MonkeyPatch.context() as patch:
        put_in(mutant, patch)
        try:
            call(test, case, generator)
        except AssertionError:
            patch.undo()
            call(test, case, generator)
            return True
    return False


def mutation_test(mutant, test, cases):
    """Return a test: some case of the given one must kill the mutant."""

    def killed(generator):
        if not any(is_killed(mutant, test, c, generator) for c in cases):
            pytest.fail(f"{mutant.name!r} survives {test.__name__}")

    return killed
