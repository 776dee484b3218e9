"""Lets the kit do it."""

from pslab import collectives

REFUSED_BY = "equal parts"
MISCONCEPTION = "all/forbidden"
LONG = True


def all_to_all(comm, parts):
    return collectives.all_to_all(comm, parts)
