"""All-reduce by the binomial tree: reduce to rank 0, then broadcast from there. K = 4:

                    rank 0       rank 1       rank 2       rank 3
    reduce             0 <──────────────────── 2                         (reduce.py)
                                    1 <──────────────────── 3
                       0 <───────── 1
    broadcast          0 ─────────> 1                                    (broadcast.py)
                       0 ────────────────────> 2
                                    1 ────────────────────> 3

2⌈log2 K⌉ messages one after the other, each of the whole tensor: time 2⌈log2 K⌉(α + P·b·β). Few rounds, many bytes:
faster than the ring for short tensors and K ≥ 4, slower for long ones. With K = 2 and 3 it has as many rounds as the
ring and is never faster. Everyone gets a copy of one sum: equal bits on all ranks.
"""

from __future__ import annotations

from .broadcast import tree_broadcast
from .chunks import Flat, as_mean
from .reduce import tree_reduce


def binomial(comm, row: Flat, op: str, ranks: int, tag: int) -> None:
    """All-reduce `row` in place, and divide it by `ranks`."""
    tree_reduce(comm, row, op, 0, tag, into=row)
    if comm.rank == 0:
        as_mean(row, ranks)
    tree_broadcast(comm, row, 0, tag)
