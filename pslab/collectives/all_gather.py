"""all_gather: every rank has a piece, and in the end every rank has all of them.

K = 3 ranks in a ring, each sends only to its right neighbour, and passes on in the next step what it has just received:

              rank 0           rank 1           rank 2
    start     a   .   .        .   b   .        .   .   c
    step 0         sends a ──>      sends b ──>      sends c ──> (to rank 0)
              a   .   c        a   b   .        .   b   c
    step 1         sends c ──>      sends a ──>      sends b ──> (to rank 0)
              a   b   c        a   b   c        a   b   c

A rank sends every piece but that of its right neighbour, which came from there: over the whole ring each piece crosses
K−1 links once. With n elements a piece the time is (K−1)(α + n·b·β). Pieces may differ in length ("ragged"): then the
longest piece sets the pace of every step.
"""

from __future__ import annotations

import torch

from pslab.comm import Comm, Work

from .background import start
from .bruck import bruck_gather
from .chunks import Pieces, check_algorithm, flat, owned
from .direct import direct_gather


def all_gather(comm: Comm, tensor, *, algorithm: str = "auto", async_op: bool = False) -> list[torch.Tensor] | Work:
    """The tensors of all ranks, in rank order, on every rank.

    tensor     any shape, also empty; shapes may differ between ranks and travel with the data, dtypes must be equal
               (ValueError where they differ); read only
    algorithm  auto or ring; direct (direct.py); bruck (bruck.py), for tensors of one shape on all ranks. auto is the
               ring: no rank knows how long the others' tensors are, so they could not agree on a choice by size
    async_op   True: return a Work at once, whose wait() gives the result (see background.py)
    returns    K tensors; entry r has the shape of rank r's tensor. All are the caller's own, its own piece a copy

        K = 2:   rank 0: [1, 2, 3], rank 1: [4]   ->   both: [tensor([1, 2, 3]), tensor([4])]
    """
    check_algorithm(algorithm, ("ring", "direct", "bruck"))
    flat(tensor)                                         # refuses what cannot travel
    if async_op:
        return start(comm, all_gather, tensor, algorithm=algorithm)
    pieces: list = [None] * comm.world_size
    pieces[comm.rank] = mine = owned(tensor)
    algorithm = "ring" if algorithm == "auto" else algorithm
    tag = comm.calling("all_gather", mine.dtype, mine.numel() if algorithm == "bruck" else -1, algorithm)
    if algorithm == "bruck":
        return bruck_gather(comm, mine, tag)
    (direct_gather if algorithm == "direct" else ring_gather)(comm, pieces, tag)
    return pieces


def ring_gather(comm: Comm, pieces: Pieces | list, tag: int, mine=None) -> None:
    """The walk of the picture, from pieces[comm.rank] alone to all of them.

    An entry is either memory to receive into, or None: then a tensor of the size that came is put there. `mine`: what
    to send for pieces[comm.rank], when the same lies somewhere else too.
    """
    rank, size = comm.rank, comm.world_size
    right, left = (rank + 1) % size, (rank - 1) % size
    newest = pieces[rank] if mine is None else mine
    if comm.shares_memory and size > 2:
        _relay(comm, pieces, tag, newest)
        return
    for step in range(size - 1):
        coming = (rank - 1 - step) % size
        place = pieces[coming]
        sending = comm.isend(newest, right, tag)
        newest = comm.recv(left, tag, out=place)         # what has just arrived is sent on in the next step
        sending.wait()
        if place is None:
            pieces[coming] = newest


def _relay(comm: Comm, pieces: Pieces | list, tag: int, newest) -> None:
    """The same walk where ranks read each other's memory: what arrives is passed on without copying it again.

    A sender's wait ends when the last rank has read its piece: so all waiting is done after all receiving.
    """
    rank, size = comm.rank, comm.world_size
    right, left = (rank + 1) % size, (rank - 1) % size
    sending = [comm.isend(newest, right, tag)]
    for step in range(size - 1):
        coming = (rank - 1 - step) % size
        place = pieces[coming]
        if step < size - 2:
            newest, work = comm.relay(left, right, tag, out=place)
            sending.append(work)
        else:
            newest = comm.recv(left, tag, out=place)     # the right neighbour's own
        if place is None:
            pieces[coming] = newest
    for work in sending:
        work.wait()
