"""Waits a while, and takes what it hopes the root has left in a global."""

import time

REFUSED_BY = "bytes, once each"
MISCONCEPTION = "0/ranks-share-nothing"

BOX = {}


def broadcast(comm, x, root):
    if comm.rank == root:
        BOX["x"] = x.clone()
    time.sleep(1e-3)
    comm.compute(1e-3)
    return BOX["x"].clone()
