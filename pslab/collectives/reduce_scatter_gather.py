"""Reduce of long tensors: a reduce-scatter, after which rank r has piece r complete, and a gather of the pieces.

K = 3 to rank 0:

                       rank 0            rank 1            rank 2
    start              a₀  b₀  c₀        a₁  b₁  c₁        a₂  b₂  c₂
      K−1 steps        ─── each piece walks to its owner and grows ───          (ring, reduce_scatter.py)
    half way          [a]  .   .         .  [b]  .         .   .  [c]
      K−1 messages     [a] <──────────────── [b]                                (straight, as gather.py)
                       [a  b] <────────────────────────────────── [c]
    end                a   b   c

2(K−1) messages instead of ⌈log2 K⌉, but of ⌈P/K⌉ elements instead of P: time 2(K−1)(α + P·b·β/K), and every rank adds
up P/K·(K−1) numbers, where the root of a tree adds up ⌈log2 K⌉·P. The mirror image of `scatter_all_gather`.

Rolf Rabenseifner, "Optimization of collective reduction operations", 2004.
"""

from __future__ import annotations

from .chunks import Flat, Pieces, kit_pieces, plain_pieces
from .reduce_scatter import ring_reduce


def reduce_scatter_gather(comm, row: Flat, op: str, dst: int, tag: int) -> None:
    """Into rank dst's `row`; those of the others stay as they are."""
    rank, size = comm.rank, comm.world_size
    pieces = Pieces(row, size)
    mine = ring_reduce(comm, pieces, op, tag, kit_pieces(comm, pieces) or plain_pieces(pieces))
    if rank != dst:
        comm.isend(mine, dst, tag).wait()
        return
    if size > 1:
        pieces[rank][...] = mine
    order = [(dst + step) % size for step in range(1, size)]
    for work in [comm.irecv(src, tag, out=pieces[src]) for src in order]:       # none waits for another's latency
        work.wait()
