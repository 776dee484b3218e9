"""Among: some ranks of a group as a group of their own, for an algorithm that is made of others.

    comm      0   1   2   3   4   5           Among(comm, [0, 2, 4]).rank on rank 4:  2
    members   0       2       4               isend(x, 1) goes to rank 2 of comm

Unlike `Comm.split` it sends nothing: everyone can work out who is in. Messages travel as those of `comm`, so two such
groups that share a pair of ranks must use it in the same order on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence


class Among:
    """The part of a Comm that the algorithms use; ranks count within `members`, which must hold the caller's own."""

    def __init__(self, comm, members: Sequence[int]):
        self._comm, self._members = comm, list(members)
        self.rank, self.world_size = self._members.index(comm.rank), len(self._members)
        self.shares_memory, self.stages, self.empty = comm.shares_memory, comm.stages, comm.empty

    def isend(self, tensor, dst: int, tag: int):
        return self._comm.isend(tensor, self._members[dst], tag)

    def recv(self, src: int, tag: int, *, out=None, op: str | None = None, plus=None):
        return self._comm.recv(self._members[src], tag, out=out, op=op, plus=plus)

    def irecv(self, src: int, tag: int, *, out=None, op: str | None = None):
        return self._comm.irecv(self._members[src], tag, out=out, op=op)

    def relay(self, src: int, dst: int, tag: int, *, out=None):
        return self._comm.relay(self._members[src], self._members[dst], tag, out=out)
