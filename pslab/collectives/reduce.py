"""reduce: everyone's tensor is reduced over the ranks, and one rank gets the result.

The binomial tree of `broadcast`, walked backwards: those with the longest way to go begin, and in each round the number
of those who still hold something halves. K = 6 to 0:

    round 2      0 <── 4     1 <── 5                  four hold partial sums          the tree:       0
    round 1      0 <── 2     1 <── 3                  two                                         ┌───┼───┐
    round 0      0 <── 1                              one, complete                               1   2   4
                                                                                                ┌─┤
                                                                                                3 5

⌈log2 K⌉ rounds: time ⌈log2 K⌉(α + P·b·β), for every K. Every rank but the last sends the tensor once, (K−1)·P elements
in all; the port of the last receives it ⌈log2 K⌉ times. For another rank than 0 the ranks are counted from there:
place = (rank − dst) mod K. The tree fixes the order of summation, so the same call gives the same bits in every world.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.comm import Comm, Work

from .background import start
from .choose import choose_tree
from .chunks import Flat, check_algorithm, check_op, check_rank, copy_back, flat, flat_inout
from .direct import direct_reduce
from .reduce_scatter_gather import reduce_scatter_gather

ALGORITHMS = ("binomial", "direct", "reduce_scatter_gather")


def reduce(comm: Comm, tensor, dst: int = 0, op: str = "sum", *, algorithm: str = "auto",
           async_op: bool = False) -> Work | None:
    """Replace `tensor`, on rank `dst` only, by the reduction of all ranks' tensors.

    tensor     P elements of any shape; the same P and dtype on every rank, ValueError where they differ. On all ranks
               but dst it is only read. A tensor that is not contiguous is reduced in a contiguous copy and written back
    dst        the rank of this group that gets the result
    op         sum, max, min, prod, mean (floating and complex dtypes only); sum of bool is `or`, as in torch
    algorithm  auto, binomial, direct (direct.py) or reduce_scatter_gather (reduce_scatter_gather.py); the same on every
               rank. auto is the tree, or in a world that was measured (`fit`) the fastest by its α and β
    async_op   True: return a Work at once, and go on in the background (see background.py)

        K = 2, dst = 1:   rank 0: [0, 2], rank 1: [1, 3]   ->   rank 0: [0, 2], rank 1: [1, 5]
    """
    check_algorithm(algorithm, ALGORITHMS)
    dst = check_rank("dst", dst, comm.world_size)
    row = flat_inout(tensor) if comm.rank == dst else flat(tensor)
    travelling_op = check_op(op, row)
    if async_op:
        return start(comm, reduce, tensor, writes=comm.rank == dst, dst=dst, op=op, algorithm=algorithm)
    if algorithm == "auto":
        algorithm = choose_tree(comm, row, "fastest_reduce")
    tag = comm.calling("reduce", row.dtype, len(row), dst, op, algorithm)
    if algorithm == "direct":
        direct_reduce(comm, row, travelling_op, dst, tag)
    elif algorithm == "reduce_scatter_gather":
        reduce_scatter_gather(comm, row, travelling_op, dst, tag)
    else:
        tree_reduce(comm, row, travelling_op, dst, tag, into=row if comm.rank == dst else None)
    if comm.rank == dst:
        if op == "mean":
            row /= comm.world_size
        copy_back(row, tensor)
    return None


def tree_reduce(comm, row: Flat, op: str, dst: int, tag: int, into: Flat | None = None) -> None:
    """The walk of the picture. Sums grow in `into`, which may be `row` itself; None: in memory of one's own."""
    rank, size = comm.rank, comm.world_size
    place = (rank - dst) % size
    reach = 1
    while reach <= place:
        reach *= 2
    parent = place - reach // 2
    children = []
    while place + reach < size:
        children.append(place + reach)
        reach *= 2
    grown = row
    for child in reversed(children):                     # the child with the smallest subtree first
        src = (child + dst) % size
        if grown is into:
            comm.recv(src, tag, out=grown, op=op)
        else:
            into = _empty_like(row) if into is None else into
            grown = comm.recv(src, tag, out=into, op=op, plus=row)
    if place:
        comm.isend(grown, (parent + dst) % size, tag).wait()


def _empty_like(row: Flat) -> Flat:
    return np.empty_like(row) if isinstance(row, np.ndarray) else torch.empty_like(row)
