"""all_to_all: every rank has one tensor for each rank, and in the end one from each.

A transposition: with rows for ranks, entry (r, q) moves to (q, r). Pairwise, in step s each rank sends to the rank s
places to its right and receives from the rank s places to its left, so that no port is asked by two at once. K = 3:

              rank 0              rank 1              rank 2             (rq: from r, for q)
    start     00  01  02          10  11  12          20  21  22
    keep      00                  11                  22
    step 1    01 ──> rank 1       12 ──> rank 2       20 ──> rank 0      distance 1
    step 2    02 ──> rank 2       10 ──> rank 0       21 ──> rank 1      distance 2
    end       00  10  20          01  11  21          02  12  22

Nothing is reduced and nothing forwarded: each tensor crosses one link, once, and its own stays at home. With n elements
a tensor the time is (K−1)(α + n·b·β).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pslab.comm import Comm, Work

from .background import start
from .chunks import check_algorithm, check_list, owned


def all_to_all(comm: Comm, tensors: Sequence, *, algorithm: str = "auto",
               async_op: bool = False) -> list[torch.Tensor] | Work:
    """Give tensors[q] to rank q; get, in rank order, what every rank gave to this one.

    tensors    K tensors of one dtype, the same on all ranks (ValueError where they differ); any shapes, also empty:
               they travel with the data; read only
    algorithm  auto or pairwise
    async_op   True: return a Work at once, whose wait() gives the result (see background.py)
    returns    K tensors, the caller's own; entry r has the shape that rank r sent

        K = 2:   rank 0: [[0], [1, 2]], rank 1: [[3, 4], []]   ->   rank 0: [[0], [3, 4]], rank 1: [[1, 2], []]
    """
    check_algorithm(algorithm, ("pairwise",))
    rank, size = comm.rank, comm.world_size
    check_list(tensors, size)
    if async_op:
        return start(comm, all_to_all, list(tensors), algorithm=algorithm)
    received: list = [None] * size
    received[rank] = mine = owned(tensors[rank])
    tag = comm.calling("all_to_all", mine.dtype, -1, "pairwise")
    for step in range(1, size):
        dst, src = (rank + step) % size, (rank - step) % size
        sending = comm.isend(tensors[dst], dst, tag)
        received[src] = comm.recv(src, tag)
        sending.wait()
    return received
