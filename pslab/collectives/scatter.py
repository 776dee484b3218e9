"""scatter: one rank has a tensor for each rank, and in the end each has its own.

K = 3 from rank 1: straight from the source to everyone, one after the other, the right neighbour first.

              rank 0           rank 1           rank 2
    start                      a   b   c
    message 0                  a   b   c ─────> c
    message 1      a <──────── a   b   c
    end       a                    b            c

Every tensor crosses one link, once. The source's port carries all of them and is what takes the time: with n elements
a tensor (K−1)(α + n·b·β). A tree would need only ⌈log2 K⌉ α, but the same bytes through the same port.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pslab.comm import Comm, Work

from .background import start
from .binomial_pieces import tree_scatter
from .chunks import check_algorithm, check_list, check_rank, check_shapes, owned


def scatter(comm: Comm, tensors: Sequence | None = None, src: int = 0, *, algorithm: str = "auto",
            async_op: bool = False) -> torch.Tensor | Work:
    """The tensor that rank `src` has for this rank.

    tensors    on rank src: K tensors of one dtype and any shapes, also empty, read only; on all others None
    src        the rank of this group that has them
    algorithm  auto or direct; binomial (binomial_pieces.py), for tensors of one shape. auto is direct: only src knows
               how long they are
    async_op   True: return a Work at once, whose wait() gives the result (see background.py)
    returns    a tensor of the caller's own; its shape and dtype travel with the data

        K = 2, src = 0:   rank 0: [[1, 2], [3]], rank 1: None   ->   rank 0: [1, 2], rank 1: [3]
    """
    check_algorithm(algorithm, ("direct", "binomial"))
    rank, size = comm.rank, comm.world_size
    src = check_rank("src", src, size)
    if rank == src:
        check_list(tensors, size)
        if algorithm == "binomial":
            check_shapes(tensors)
    elif tensors is not None:
        raise ValueError(f"tensors was given by rank {rank}, but src={src}; None is allowed on all other ranks")
    if async_op:
        return start(comm, scatter, tensors if tensors is None else list(tensors), src=src, algorithm=algorithm)
    algorithm = "direct" if algorithm == "auto" else algorithm
    tag = comm.calling("scatter", None, -1, src, algorithm)
    if algorithm == "binomial":
        return tree_scatter(comm, tensors if tensors is None else [owned(tensor) for tensor in tensors], src, tag)
    if rank != src:
        return comm.recv(src, tag)
    for step in range(1, size):
        dst = (rank + step) % size
        comm.isend(tensors[dst], dst, tag).wait()
    return owned(tensors[rank])
