"""What a group does for itself, without a byte in the ledger: wait for each other, and hand round a row of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def meet(endpoint, members: Sequence[int], rank: int, ctx: int, tag: int) -> None:
    """Dissemination: in round j everyone tells the one 2^j places to its right, and hears from the one to its left."""
    empty, distance, size = np.empty(0, np.uint8), 1, len(members)
    while distance < size:
        right, left = members[(rank + distance) % size], members[(rank - distance) % size]
        work = endpoint.isend(empty, "uint8", right, ctx, tag, False, True)
        endpoint.irecv(left, ctx, tag, None, None, True).wait()
        work.wait()
        distance *= 2


def exchange(endpoint, members: Sequence[int], rank: int, ctx: int, tag: int, row: np.ndarray) -> np.ndarray:
    """Everyone's row of int64, gathered by the group's first rank and sent back: (K, len(row))."""
    first, table = members[0], np.empty((len(members), len(row)), np.int64)
    if rank:
        endpoint.isend(row, "int64", first, ctx, tag, True, True).wait()
        endpoint.irecv(first, ctx, tag, table, None, True).wait()
        return table
    table[0] = row
    for group_rank in range(1, len(members)):
        endpoint.irecv(members[group_rank], ctx, tag, table[group_rank], None, True).wait()
    for work in [endpoint.isend(table, "int64", dst, ctx, tag, True, True) for dst in members[1:]]:
        work.wait()
    return table
