"""all_reduce: everyone's tensor is reduced over the ranks, and every rank gets the whole result, in place.

The ring: a reduce-scatter, after which rank r owns piece r complete, and an all-gather of the owned pieces. K = 3:

                       rank 0            rank 1            rank 2
    start              a₀  b₀  c₀        a₁  b₁  c₁        a₂  b₂  c₂
      K−1 steps        ─── each piece walks to its owner and grows ───          (reduce_scatter.py)
    half way          [a]  .   .         .  [b]  .         .   .  [c]
      K−1 steps        ─── each piece walks on to everyone ───                  (all_gather.py)
    end                a   b   c         a   b   c         a   b   c

Each half moves (K−1)·P elements over the K links together, so all of it 2(K−1)·P, and 2(K−1)/K·P on a link when K
divides P: nearly independent of K, where a single server's port would carry K·P each way. The price is 2(K−1)
latencies: time = 2(K−1)(α + ⌈P/K⌉·b·β). Each piece is summed once, in one order, and then copied: so all ranks end with
the same bits, even where floating-point sums depend on the order.
"""

from __future__ import annotations

from pslab.comm import COLLECTIVE_TAGS as TAGS
from pslab.comm import Comm

from .all_gather import ring_gather
from .chunks import Pieces, check_algorithm, check_op, copy_back, flat_inout, kit_pieces
from .reduce_scatter import ring_reduce


def all_reduce(comm: Comm, tensor, op: str = "sum", *, algorithm: str = "auto") -> None:
    """Replace `tensor`, on every rank, by the reduction of all ranks' tensors.

    tensor     P elements of any shape and any P (0 and less than K too), the same P and dtype on every rank; ValueError
               where they differ, and its content is then undefined. Shapes may differ between ranks: only P counts.
               A tensor that is not contiguous is reduced in a contiguous copy and written back
    op         sum, max, min, prod, mean (floating and complex dtypes only); sum of bool is `or`, as in torch
    algorithm  auto or ring

        K = 2:   rank 0: [0, 2, 4], rank 1: [1, 3, 5]   ->   both: [1, 5, 9]
    """
    check_algorithm(algorithm, ("ring",))
    row = flat_inout(tensor)
    travelling_op = check_op(op, row)
    pieces = Pieces(row, comm.world_size)
    scratch = kit_pieces(comm, pieces)
    mine = ring_reduce(comm, pieces, travelling_op, TAGS["all_reduce"], scratch)
    if op == "mean":
        mine /= comm.world_size                          # each owner divides its own piece: P/K divisions, not P
    if scratch is not None:
        pieces[comm.rank][...] = mine
    ring_gather(comm, pieces, TAGS["all_reduce"], mine)
    copy_back(row, tensor)
