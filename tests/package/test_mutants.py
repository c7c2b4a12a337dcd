"""A mutant that survives, or is put in nowhere, fails the suite."""

import pytest

from mutants import Mutant, mutant, mutation_test


def twice(x):
    return 2 * x


@mutant("the square for the double", twice, lambda x: x**2)
@mutant("twice the double", twice, lambda right, x: 2 * right(x))
@pytest.mark.parametrize("x", [0, 2, 3])  # 0 tells neither, and 2 only one
def test_twice(x):
    assert twice(x) == x + x


def test_a_test_is_collected_with_its_mutants(request):
    names = [item.name for item in request.node.parent.collect()]
    assert "test_twice[mutant the square for the double]" in names


@pytest.mark.parametrize("x", [0, 2])
def test_a_mutant_that_survives_is_named(x, generator):
    square = Mutant("the square", twice, lambda x: x**2)
    with pytest.raises(pytest.fail.Exception, match="'the square' survives"):
        mutation_test(square, test_twice, [{"x": x}])(generator)
    assert twice(3) == 6


def test_a_mutant_without_a_place_is_named(generator):
    lost = Mutant("lost", lambda x: 2 * x, lambda x: x**2)
    with pytest.raises(LookupError, match=r"'lost': .* used nowhere"):
        mutation_test(lost, test_twice, [{"x": 3}])(generator)


def test_a_test_that_fails_anyway_kills_nothing(generator):
    square = Mutant("the square", twice, lambda x: x**2)
    with pytest.raises(AssertionError):
        mutation_test(square, test_twice, [{"x": float("nan")}])(generator)
