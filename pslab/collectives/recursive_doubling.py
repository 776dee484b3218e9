"""All-reduce by recursive doubling: pairs swap everything they have, at distance 1, 2, 4, … K = 4:

              rank 0          rank 1          rank 2          rank 3
    start        a               b               c               d
    distance 1      a ──> / <── b                   c ──> / <── d                 whole tensors, both ways at once
              a + b           a + b           c + d           c + d
    distance 2      a + b ──────────> / <────────── c + d                         and likewise 1 with 3
              all             all             all             all

log2 K rounds, half of what anything else needs, but the whole tensor in each of them: time log2 K·(α + P·b·β). The
fastest for short tensors, where a message costs its α and little else. Every rank adds up all of it, K times the
arithmetic of the ring. For K that is no power of two, let H be the largest one below it: the K−H ranks above fold in
first and get the result at the end, as in `halving_doubling`: two more rounds. Both partners add the same two numbers,
so all ranks end with equal bits. Where the order of two matters (a product of complex numbers, the larger of 0.0 and
−0.0) both take the lower rank's first.
"""

from __future__ import annotations

import numpy as np
import torch

from .chunks import Flat, as_mean, combine


def recursive_doubling(comm, row: Flat, op: str, ranks: int, tag: int) -> None:
    """All-reduce `row` in place, and divide it by `ranks`."""
    rank, K = comm.rank, comm.world_size
    H = 1 << (K.bit_length() - 1)
    if rank >= H:                                        # folded: the one H below does the work
        comm.isend(row, rank - H, tag).wait()
        comm.recv(rank - H, tag, out=row)
        return
    if rank + H < K:
        comm.recv(rank + H, tag, out=row, op=op)
    newest, other, distance = row, None, 1
    while distance < H:
        if other is None:
            other = np.empty_like(row) if isinstance(row, np.ndarray) else torch.empty_like(row)
        peer = rank ^ distance
        sending = comm.isend(newest, peer, tag)
        if op == "sum" or rank < peer:
            comm.recv(peer, tag, out=other, op=op, plus=newest)            # not into what is being sent
        else:
            comm.recv(peer, tag, out=other)
            combine(other, newest, op)
        sending.wait()
        newest, other, distance = other, newest, 2 * distance
    as_mean(newest, ranks)
    if newest is not row:
        row[...] = newest
    if rank + H < K:
        comm.isend(row, rank + H, tag).wait()
