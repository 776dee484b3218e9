"""Calls the collective of the library."""

from pslab import collectives

REFUSED_BY = "from rank 0"
MISCONCEPTION = "all/forbidden"


def broadcast(comm, x, root):
    y = x.clone()
    collectives.broadcast(comm, y, root)
    return y
