"""Calls the collective of the library."""

from pslab import collectives

REFUSED_BY = "from rank 0"
MISCONCEPTION = "all/forbidden"
LONG = True


def broadcast(comm, x, root):
    y = x.clone()
    collectives.broadcast(comm, y, root)
    return y
