"""Calls the collective of the library."""

from pslab import collectives

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "all/forbidden"
LONG = True


def reduce_scatter(comm, x):
    return collectives.reduce_scatter(comm, x)
