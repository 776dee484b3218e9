"""Reduce-scatter in pairs: every rank sends each owner its piece, and adds up what it gets. K = 3:

              rank 0           rank 1           rank 2
    start     a₀  b₀  c₀       a₁  b₁  c₁       a₂  b₂  c₂           rank 0 owns a, rank 1 b, rank 2 c
    step 1       b₀ ──> 1         c₁ ──> 2         a₂ ──> 0          to the right neighbour, from the left one
              a₀₂              b₁₀              c₂₁
    step 2       c₀ ──> 2         a₁ ──> 0         b₂ ──> 1          to the second to the right
              a₀₂₁             b₁₀₂             c₂₁₀

As many messages and bytes as the ring's, (K−1)(α + ⌈P/K⌉·b·β), but what is sent is always one's own: nothing waits for
a sum, and a rank that is late holds up those it sends to, not everyone behind it. In exchange everyone speaks with
everyone, where the ring needs good lines between neighbours only.
"""

from __future__ import annotations

from .chunks import Flat, Pieces


def pairwise_reduce(comm, pieces: Pieces, op: str, tag: int, mine: Flat) -> Flat:
    """Sums of everyone's piece comm.rank, in `mine`, which holds this rank's own at first."""
    rank, size = comm.rank, comm.world_size
    for step in range(1, size):
        dst, src = (rank + step) % size, (rank - step) % size
        sending = comm.isend(pieces[dst], dst, tag)
        comm.recv(src, tag, out=mine, op=op)
        sending.wait()
    return mine
