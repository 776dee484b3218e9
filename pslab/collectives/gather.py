"""gather: each rank has a tensor, and in the end one rank has all of them.

The mirror image of `scatter`. K = 3 to rank 1: everyone sends straight to it, and it takes them one after the other.

              rank 0           rank 1           rank 2
    start     a                    b            c
    message 0                      b   c <───── c
    message 1 a ─────────────> a   b   c
    end                        a   b   c

Every tensor crosses one link, once, and all of them the port of the one who gathers: with n elements a tensor the time
is (K−1)(α + n·b·β).
"""

from __future__ import annotations

import torch

from pslab.comm import Comm, Work

from .background import start
from .binomial_pieces import tree_gather
from .chunks import check_algorithm, check_rank, flat, owned


def gather(comm: Comm, tensor, dst: int = 0, *, algorithm: str = "auto",
           async_op: bool = False) -> list[torch.Tensor] | Work | None:
    """The tensors of all ranks, in rank order, on rank `dst`; None on all others.

    tensor     any shape, also empty; shapes may differ between ranks and travel with the data, dtypes must be equal
               (ValueError on dst where they differ); read only
    dst        the rank of this group that gets them
    algorithm  auto or direct; binomial (binomial_pieces.py), for tensors of one shape on all ranks. auto is direct: no
               rank knows how long the others' tensors are
    async_op   True: return a Work at once, whose wait() gives the result (see background.py)
    returns    on dst K tensors, all the caller's own; entry r has the shape of rank r's tensor

        K = 2, dst = 1:   rank 0: [1, 2], rank 1: [3]   ->   rank 0: None, rank 1: [[1, 2], [3]]
    """
    check_algorithm(algorithm, ("direct", "binomial"))
    rank, size = comm.rank, comm.world_size
    dst = check_rank("dst", dst, size)
    dtype = flat(tensor).dtype                                # flat refuses what cannot travel
    if async_op:
        return start(comm, gather, tensor, dst=dst, algorithm=algorithm)
    algorithm = "direct" if algorithm == "auto" else algorithm
    if algorithm == "binomial":
        mine = owned(tensor)
        return tree_gather(comm, mine, dst, comm.calling("gather", dtype, mine.numel(), dst, algorithm))
    tag = comm.calling("gather", dtype, -1, dst, algorithm)
    if rank != dst:
        comm.isend(tensor, dst, tag).wait()
        return None
    order = [(rank + step) % size for step in range(1, size)]
    coming = [comm.irecv(src, tag) for src in order]          # all at once: none waits for another's latency
    pieces: list = [None] * size
    pieces[rank] = owned(tensor)
    for src, work in zip(order, coming):
        pieces[src] = work.wait()
    return pieces
