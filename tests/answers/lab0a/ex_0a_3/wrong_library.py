"""Calls the collective of the library."""

from pslab import collectives

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "all/forbidden"
LONG = True


def ring_all_reduce(comm, x):
    y = x.clone()
    collectives.all_reduce(comm, y, algorithm="ring")
    return y
