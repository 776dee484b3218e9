"""Broadcast of long tensors (van de Geijn): cut it into K pieces, hand them out, and let the ring bring them together.

K = 3 from rank 0:

              rank 0           rank 1           rank 2
    start     a   b   c        .   .   .        .   .   .           (the source alone has anything)
    scatter        b ────────────> b
                   c ───────────────────────────────> c
    ring      a   b   c        .   b   .        .   .   c           (all_gather.py: K−1 steps)
    end       a   b   c        a   b   c        a   b   c

2(K−1) messages one after the other instead of ⌈log2 K⌉, but of ⌈P/K⌉ elements instead of P: time 2(K−1)(α + P·b·β/K),
so that the bytes count less than twice, however many ranks there are. The tree sends them ⌈log2 K⌉ times.

Robert van de Geijn and others, "Building a high-performance collective communication library", 1994.
"""

from __future__ import annotations

import numpy as np

from .all_gather import ring_gather
from .chunks import Flat, Pieces


def scatter_all_gather(comm, row: Flat, src: int, tag: int) -> None:
    """Into `row`, from rank src's."""
    if isinstance(row, np.ndarray) and not row.flags.writeable:
        row = row.copy()                                 # src's own, which the ring brings back to it
    pieces = Pieces(row, comm.world_size)
    if comm.rank == src:
        for step in range(1, comm.world_size):
            dst = (src + step) % comm.world_size
            comm.isend(pieces[dst], dst, tag).wait()
    else:
        comm.recv(src, tag, out=pieces[comm.rank])
    ring_gather(comm, pieces, tag)
