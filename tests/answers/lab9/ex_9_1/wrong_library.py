"""Lets the kit do it."""

from pslab import cost

REFUSED_BY = "the printed example"
MISCONCEPTION = "all/forbidden"
LONG = True


def crossover(K, D, key_bytes, S, view):
    return cost.crossover_fraction(K, D, key_bytes, S, view)
