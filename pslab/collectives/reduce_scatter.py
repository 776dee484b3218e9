"""reduce_scatter: everyone's tensor is reduced over the ranks, and rank r keeps piece r of the result.

K = 3 ranks in a ring, each sends only to its right neighbour. Every tensor is cut into pieces a, b, c; b₀ is piece b of
rank 0, b₂₀ is b₂ + b₀. Each piece starts one rank after its owner and walks the ring towards it, growing as it goes:

              rank 0           rank 1           rank 2
    start     a₀  b₀  c₀       a₁  b₁  c₁       a₂  b₂  c₂
    step 0         sends c₀ ──>     sends a₁ ──>     sends b₂ ──> (to rank 0)
              a₀  b₂₀ .        .   b₁  c₀₁      a₁₂ .   c₂
    step 1         sends b₂₀ ─>     sends c₀₁ ─>     sends a₁₂ ─> (to rank 0)
              a₁₂₀  .  .       .  b₂₀₁  .       .  .  c₀₁₂

In every step every link carries one piece, so all ports are busy all the time. After K−1 steps each rank has sent every
piece but its own: P − |piece r| elements. Time (K−1)(α + ⌈P/K⌉·b·β): no algorithm moves fewer bytes through the busiest
port (Patarasuk and Yuan, 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations").
"""

from __future__ import annotations

import torch

from pslab.comm import Comm, Work

from .background import start
from .chunks import Flat, Pieces, check_algorithm, check_op, flat, kit_pieces, owned, plain_pieces
from .pairwise import pairwise_reduce


def reduce_scatter(comm: Comm, tensor, op: str = "sum", *, algorithm: str = "auto",
                   async_op: bool = False) -> torch.Tensor | Work:
    """Piece `comm.rank` of the reduction of all ranks' tensors, cut as `torch.tensor_split(tensor.view(-1), K)`.

    tensor     P elements of any shape, the same P and dtype on every rank, read only; ValueError where they differ
    op         sum, max, min, prod, mean (floating and complex dtypes only)
    algorithm  auto or ring; pairwise (pairwise.py). auto is the ring: both cost the same where links are all alike
    async_op   True: return a Work at once, whose wait() gives the result (see background.py)
    returns    one-dimensional, ⌈P/K⌉ elements on the first P mod K ranks and ⌊P/K⌋ on the others; a tensor of its own

        K = 2, P = 3:   rank 0: [0, 2, 4], rank 1: [1, 3, 5]   ->   rank 0: [1, 5], rank 1: [9]
    """
    check_algorithm(algorithm, ("ring", "pairwise"))
    row = flat(tensor)
    travelling_op = check_op(op, row)
    if async_op:
        return start(comm, reduce_scatter, tensor, op=op, algorithm=algorithm)
    algorithm = "ring" if algorithm == "auto" else algorithm
    tag = comm.calling("reduce_scatter", row.dtype, len(row), op, algorithm)
    pieces = Pieces(row, comm.world_size)
    if algorithm == "pairwise":
        mine = owned(pieces[comm.rank])
        pairwise_reduce(comm, pieces, travelling_op, tag, flat(mine))
    else:
        scratch = kit_pieces(comm, pieces) or plain_pieces(pieces)
        mine = owned(ring_reduce(comm, pieces, travelling_op, tag, scratch))
    if op == "mean":
        mine /= comm.world_size
    return mine


def ring_reduce(comm: Comm, pieces: Pieces, op: str, tag: int, scratch: list[Flat] | None = None) -> Flat:
    """The walk of the picture; returns piece comm.rank, complete.

    In place, then the other pieces hold partial sums afterwards. Or, with `scratch`, two pieces long enough for each:
    the sums grow there, in turn, and `pieces` stay as they are.
    """
    rank, size = comm.rank, comm.world_size
    right, left = (rank + 1) % size, (rank - 1) % size
    grown = pieces[left]                                 # the first to leave is the left neighbour's
    if scratch is not None and comm.shares_memory:       # copied there at once, a tenth faster than through the slots
        first = scratch[1][:len(grown)]
        first[...] = grown
        grown = first
    for step in range(size - 1):
        mine = pieces[(rank - 2 - step) % size]
        sending = comm.isend(grown, right, tag)          # not `send`: all ranks would wait for their right neighbour
        if scratch is None:
            next_ = mine
            comm.recv(left, tag, out=next_, op=op)       # next_ += what the left neighbour has of it so far
        else:
            next_ = scratch[step % 2][:len(mine)]
            comm.recv(left, tag, out=next_, op=op, plus=mine)
        sending.wait()
        grown = next_                                    # and on it goes
    return grown
