"""broadcast: one rank's tensor, on every rank, in place.

The binomial tree: whoever has it tells one more each round, so those who know double in number. K = 6, from rank 0:

    round 0      0 ──> 1                                     1 knows, then 2
    round 1      0 ──> 2      1 ──> 3                        then 4
    round 2      0 ──> 4      1 ──> 5                        then all 6; 2 ──> 6 and 3 ──> 7 do not exist

                     0
                 ┌───┼───┐
                 1   2   4        K = 3 is its beginning: 0 ──> 1, then 0 ──> 2
               ┌─┤
               3 5

⌈log2 K⌉ rounds: time ⌈log2 K⌉(α + P·b·β). Every rank but the source receives the tensor once: (K−1)·P elements in all.
For another source than 0 the ranks are counted from there: place = (rank − src) mod K.
"""

from __future__ import annotations

import numpy as np

from pslab.comm import Comm

from .chunks import TAGS, check_algorithm, copy_back, flat, flat_inout


def broadcast(comm: Comm, tensor, src: int = 0, *, algorithm: str = "auto") -> None:
    """Replace `tensor`, on every rank but `src`, by that of rank `src`.

    tensor     P elements of any shape; the same P and dtype on every rank, ValueError where they differ. A tensor that
               is not contiguous is received in a contiguous copy and written back
    src        the rank of this group whose tensor it is
    algorithm  auto or binomial

        K = 3, src = 1:   rank 0: [0, 3], rank 1: [1, 4], rank 2: [2, 5]   ->   all: [1, 4]
    """
    check_algorithm(algorithm, ("binomial",))
    rank, size = comm.rank, comm.world_size
    if not isinstance(src, (int, np.integer)) or not 0 <= src < size:
        raise ValueError(f"src={src!r}; this group has ranks 0..{size - 1}")
    row = flat(tensor) if rank == src else flat_inout(tensor)
    place = (rank - src) % size
    reach = 1                                            # how many know before this round
    if place:
        while 2 * reach <= place:
            reach *= 2
        comm.recv((place - reach + src) % size, TAGS["broadcast"], out=row)
        reach *= 2
    sending = []
    while place + reach < size:                          # the child with the largest subtree first
        sending.append(comm.isend(row, (place + reach + src) % size, TAGS["broadcast"]))
        reach *= 2
    for work in sending:
        work.wait()
    if rank != src:
        copy_back(row, tensor)
