"""9.1 is judged to nine digits by formula, and to two rows by counting bytes."""

import pytest
from direct_answers import Direct

from pslab import exercises
from pslab.exercises import lab9_crossover
from pslab.exercises.lab9_crossover import crossover
from pslab.grade import cases


def verdict(name, function):
    criterion = next(c for c in exercises.get("9.1").criteria if c.name == name)
    return criterion.judge(Direct({"crossover": function}), cases("9.1")[0].of(name))


@pytest.mark.parametrize("name", ["all links together", "through the busiest port", "the third rival"])
def test_nine_digits_are_needed(name):
    assert verdict(name, lambda *question: crossover(*question) * (1 + 1e-12)).passed
    assert not verdict(name, lambda *question: crossover(*question) * (1 + 1e-6)).passed


@pytest.mark.parametrize(("moved", "side"), [(0.02, "left of your fraction"), (-0.02, "right of your fraction")])
def test_a_fraction_beside_the_flip_is_found_by_counting(moved, side):
    name = "bytes counted on either side"
    found = verdict(name, lambda *question: crossover(*question) + moved)
    assert (found.passed, found.misconception) == (False, "9/crossover-miscounted")
    assert found.expected.startswith(side)
    assert found.seen.endswith("of 900 rows touched")


def test_the_right_fraction_passes_by_counting():
    assert verdict("bytes counted on either side", lab9_crossover.crossover).passed
