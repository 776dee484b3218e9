"""Straight from the one who has it to the one who needs it: broadcast, reduce and all-gather without anybody between.

    broadcast from 1         reduce to 1              all-gather                 K = 4, step s: to the rank s places to
      0 <── 1 ──> 2            0 ──> 1 <── 2            0 <──> 1                 the right, from the one s to the left,
            └───> 3                  3 ─────┘           │  ╳   │                 so that no port is asked by two at once
                                                        3 <──> 2

Every way is one message long, and K−1 of them go through one port: (K−1)(α + P·b·β) where all of α is overhead. On
long lines the latencies of a broadcast and of an all-gather pass together, and count once: for short tensors nothing is
faster there. A reduce takes one after the other, in an order that does not depend on who came first.
"""

from __future__ import annotations

from .chunks import Flat


def direct_broadcast(comm, row: Flat, src: int, tag: int) -> None:
    """Into `row`, from rank src's."""
    if comm.rank != src:
        comm.recv(src, tag, out=row)
        return
    for work in [comm.isend(row, (src + step) % comm.world_size, tag) for step in range(1, comm.world_size)]:
        work.wait()


def direct_reduce(comm, row: Flat, op: str, dst: int, tag: int) -> None:
    """Into rank dst's `row`, one rank after the other, the right neighbour's first."""
    if comm.rank != dst:
        comm.isend(row, dst, tag).wait()
        return
    for step in range(1, comm.world_size):
        comm.recv((dst + step) % comm.world_size, tag, out=row, op=op)


def direct_gather(comm, pieces: list, tag: int) -> None:
    """From pieces[comm.rank] alone to all of them; the other entries are None."""
    rank, size = comm.rank, comm.world_size
    coming = [((rank - step) % size, comm.irecv((rank - step) % size, tag)) for step in range(1, size)]
    for step in range(1, size):
        comm.isend(pieces[rank], (rank + step) % size, tag).wait()       # it has left, and is still on its way
    for src, work in coming:
        pieces[src] = work.wait()
