"""Racks: groups of ranks that share one line, each way, to all other racks.

                       ┌──────────────── core ────────────────┐           inside a rack every rank has its own port;
            uplink out ║ in                        uplink out ║ in        what leaves or enters the rack takes its
            ┌──────────╨─────────┐                 ┌──────────╨─────────┐ uplink besides, which all its ranks share
            │ rank 0      rank 1 │                 │ rank 2      rank 3 │
            └────────────────────┘                 └────────────────────┘ Racks(2)  or  Racks([[0, 1], [2, 3]])

The core is never busy. Placement is which ranks are in which rack; rank order is how they are numbered: a ring over
[[0, 1], [2, 3]] leaves each rack once a step, one over [[0, 2], [1, 3]] twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .link import Link


@dataclass(frozen=True)
class Racks:
    """Which ranks share an uplink, and how fast it is.

    racks      ranks of each rack; or the size of a rack: blocks of neighbours, the last perhaps smaller
    uplink     of each rack, per direction, full duplex. A message of n bytes between two racks keeps the uplink out of
               its sender's rack and the one into its receiver's rack for overhead_s + n/bandwidth_Bps, and arrives
               later by latency_s twice, once for each of the two
    """

    racks: int | Sequence[Sequence[int]]
    uplink: Link = Link()

    def __post_init__(self):
        if not isinstance(self.uplink, Link):
            raise ValueError(f"uplink={self.uplink!r}; a Link is needed")
        if _is_whole(self.racks):
            if self.racks < 1:
                raise ValueError(f"racks={self.racks}; the size of a rack, 1 or more, or the ranks of each rack")
            return
        if not _is_list(self.racks) or not self.racks or not all(map(_is_list, self.racks)):
            raise ValueError(f"racks={self.racks!r}; the size of a rack, or a list of lists of ranks is needed")
        home: dict[int, int] = {}
        for number, rack in enumerate(self.racks):
            if not rack:
                raise ValueError(f"racks[{number}] is empty; each rack needs a rank")
            for rank in rack:
                if not _is_whole(rank) or rank < 0:
                    raise ValueError(f"racks[{number}] names rank {rank!r}; whole numbers from 0 are needed")
                if rank in home:
                    raise ValueError(f"rank {rank} is in racks[{home[rank]}] and in racks[{number}]; one is needed")
                home[rank] = number

    def of(self, world_size: int) -> list[list[int]]:
        """The ranks of each rack of a world of this size; ValueError for a rank too many or too few."""
        if _is_whole(self.racks):
            return [list(range(first, min(first + self.racks, world_size)))
                    for first in range(0, world_size, self.racks)]
        named = {int(rank) for rack in self.racks for rank in rack}
        for rank in sorted(named ^ set(range(world_size))):
            what = "names" if rank in named else "misses"
            raise ValueError(f"racks={self.racks!r} {what} rank {rank}; this world has ranks 0..{world_size - 1}")
        return [[int(rank) for rank in rack] for rack in self.racks]

    def rack_by_rack(self, world_size: int) -> list[int]:
        """All ranks, one rack after the other: a ring in this order leaves each rack once a step.

        A group that is numbered so: `comm.split(0, key=order.index(comm.rank))`.
        """
        return [rank for rack in self.of(world_size) for rank in rack]

    def alternating(self, world_size: int) -> list[int]:
        """The first rank of each rack, then the second of each: a ring in this order crosses wherever it can."""
        racks = self.of(world_size)
        return [rack[place] for place in range(max(map(len, racks))) for rack in racks if place < len(rack)]


def _is_whole(value) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_list(value) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
