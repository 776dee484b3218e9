"""broadcast: one rank's tensor, on every rank, in place.

The binomial tree: in each round everyone who has it tells one more, so those who know double in number. K = 6 from 0:

    round 0      0 ──> 1                              two know
    round 1      0 ──> 2     1 ──> 3                  four know           the tree:       0
    round 2      0 ──> 4     1 ──> 5                  all six know                    ┌───┼───┐
                                                                                      1   2   4
                 (2 ──> 6 and 3 ──> 7 wait for a larger K)                          ┌─┤
                                                                                    3 5

⌈log2 K⌉ rounds: time ⌈log2 K⌉(α + P·b·β) when a port is busy for all of α; where part of α is latency, in which the
port is free, that much or less. Every rank but the source receives the tensor once, (K−1)·P elements in all; but the
source's port sends it ⌈log2 K⌉ times: the tree is short, not light. For another source than 0 the
ranks are counted from there: place = (rank − src) mod K.
"""

from __future__ import annotations

from pslab.comm import Comm, Work

from .background import start
from .choose import choose_tree
from .chunks import Flat, check_algorithm, check_rank, copy_back, flat, flat_inout
from .direct import direct_broadcast
from .scatter_all_gather import scatter_all_gather


def broadcast(comm: Comm, tensor, src: int = 0, *, algorithm: str = "auto",
              async_op: bool = False) -> Work | None:
    """Replace `tensor`, on every rank but `src`, by that of rank `src`.

    tensor     P elements of any shape; the same P and dtype on every rank, ValueError where they differ. A tensor that
               is not contiguous is received in a contiguous copy and written back
    src        the rank of this group whose tensor it is
    algorithm  auto, binomial, direct (direct.py) or scatter_all_gather (scatter_all_gather.py); the same on every rank.
               auto is the tree, or in a world that was measured (`fit`) the fastest by its α and β
    async_op   True: return a Work at once, and go on in the background (see background.py)

        K = 3, src = 1:   rank 0: [0, 3], rank 1: [1, 4], rank 2: [2, 5]   ->   all: [1, 4]
    """
    check_algorithm(algorithm, tuple(WALKS))
    src = check_rank("src", src, comm.world_size)
    row = flat(tensor) if comm.rank == src else flat_inout(tensor)
    if async_op:
        return start(comm, broadcast, tensor, writes=comm.rank != src, src=src, algorithm=algorithm)
    if algorithm == "auto":
        algorithm = choose_tree(comm, row, "fastest_broadcast")
    tag = comm.calling("broadcast", row.dtype, len(row), src, algorithm)
    WALKS[algorithm](comm, row, src, tag)
    if comm.rank != src:
        copy_back(row, tensor)
    return None


def tree_broadcast(comm, row: Flat, src: int, tag: int) -> None:
    """The walk of the picture, into `row`."""
    rank, size = comm.rank, comm.world_size
    place = (rank - src) % size
    reach = 1                                            # how many know before this round
    if place:
        while 2 * reach <= place:
            reach *= 2
        comm.recv((place - reach + src) % size, tag, out=row)
        reach *= 2
    while place + reach < size:                          # one a round, the child with the largest subtree first
        comm.isend(row, (place + reach + src) % size, tag).wait()
        reach *= 2


WALKS = {"binomial": tree_broadcast, "direct": direct_broadcast, "scatter_all_gather": scatter_all_gather}
