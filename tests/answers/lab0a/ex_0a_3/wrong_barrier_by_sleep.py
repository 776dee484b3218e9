"""Leaves its tensor in a global and sleeps until the others must have done so."""

import time

REFUSED_BY = "bytes"
MISCONCEPTION = "0/ranks-share-nothing"
LONG = True

BOX = {}


def ring_all_reduce(comm, x):
    BOX[comm.rank] = x.clone()
    time.sleep(1e-3)
    comm.compute(1e-3)
    return sum(BOX[r] for r in range(comm.world_size))
