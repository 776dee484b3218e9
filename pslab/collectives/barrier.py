"""barrier: nobody goes on before everybody is here.

Dissemination: in round j each rank tells the one 2^j places to its right, and listens to the one 2^j to its left. What
a rank was told, it passes on, so in ⌈log2 K⌉ rounds everyone has heard of all, with nobody in the middle. K = 4:

    round 0     0 ──> 1    1 ──> 2    2 ──> 3    3 ──> 0        each has heard of 2, itself included
    round 1     0 ──> 2    1 ──> 3    2 ──> 0    3 ──> 1        each has heard of 4

Its messages are empty and are in no ledger; the time is ⌈log2 K⌉·α after the last rank has come.
"""

from __future__ import annotations

from pslab.comm import Comm, Work

from .background import start


def barrier(comm: Comm, *, async_op: bool = False) -> Work | None:
    """Return when every rank of the group has called it; with async_op at once, a Work whose wait() returns then."""
    if async_op:
        return start(comm, barrier)
    comm.barrier()
    return None
