"""The ring all-reduce: a reduce-scatter, after which rank r owns piece r complete, and an all-gather of those. K = 3:

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

from .all_gather import ring_gather
from .chunks import Flat, Pieces, Strips, as_mean, kit_pieces
from .reduce_scatter import ring_reduce

STRIPS_FROM_BYTES, STRIP_BYTES = 32 << 20, 4 << 20


def ring(comm, row: Flat, op: str, ranks: int, tag: int) -> None:
    """All-reduce `row` in place, and divide it by `ranks`."""
    pieces = Pieces(row, comm.world_size)
    if comm.world_size == 2 and row.nbytes >= STRIPS_FROM_BYTES and comm.stages(pieces[0]):
        # What is passed through shared memory twice is still in the cache the second time: a tenth faster.
        for strip in Strips(pieces, STRIP_BYTES // row.itemsize // 2):
            _ring(comm, strip, op, ranks, tag)
    else:
        _ring(comm, pieces, op, ranks, tag)


def _ring(comm, pieces: Pieces, op: str, ranks: int, tag: int) -> None:
    scratch = kit_pieces(comm, pieces)
    mine = ring_reduce(comm, pieces, op, tag, scratch)
    as_mean(mine, ranks)                                 # each owner divides its own piece: P/K divisions, not P
    if scratch is not None:
        pieces[comm.rank][...] = mine
    ring_gather(comm, pieces, tag, mine)
