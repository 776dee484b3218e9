"""LRU: the id that was not used for the longest time leaves.

    oldest  4  9  2  7  youngest        hit 9:  4  2  7  9        miss 5:  2  7  9  5, and 4 leaves

A hit refreshes; that is all that tells it from FIFO. A loop over one id more than the capacity has no hit at all.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

import numpy as np

from .base import Cache, as_ids


class InOrder(Cache):
    """Ids in one line; who leaves is the first of it that may."""

    refreshes: bool                         # whether a hit goes to the end of the line

    def __init__(self, capacity: int, row_bytes: int = 0):
        super().__init__(capacity, row_bytes)
        self._slots: OrderedDict[int, int] = OrderedDict()

    def order(self) -> list[int]:
        """The ids that are here, who would leave first first."""
        return list(self._slots)

    def access_all(self, ids) -> np.ndarray:
        ids = as_ids(ids)
        if self._pins:
            return super().access_all(ids)
        # 10 million accesses: local names, no method of ours in the loop; 0.3 µs instead of 1 µs each. Finding the
        # hits of 2^18 ids at a time from where each was used before, in NumPy, took twice as long.
        slots, capacity = self._slots, self.capacity
        refresh = slots.move_to_end if self.refreshes else None
        oldest, missed = slots.popitem, []
        miss, here, first_here = missed.append, len(slots), len(slots)
        for at, id in enumerate(ids.tolist()):
            if id in slots:
                if refresh:
                    refresh(id)
            else:
                miss(at)
                if here < capacity:
                    slots[id] = here
                    here += 1
                else:
                    slots[id] = oldest(False)[1]
        hits = np.ones(len(ids), bool)
        hits[missed] = False
        self._count_misses(ids[missed], len(ids), here - first_here)
        return hits

    def _insert(self, id, slot):
        self._slots[id] = slot

    def _leave(self, count, keep):
        if not count:
            return []
        if not keep:
            return [self._slots.popitem(last=False) for _ in range(count)]
        gone = list(islice((item for item in self._slots.items() if item[0] not in keep), count))
        for id, _ in gone:
            del self._slots[id]
        return gone


class LRU(InOrder):
    """The least recently used id leaves. Of a batch, an id counts as used at its last place in it."""

    refreshes = True

    def _hit(self, id):
        self._slots.move_to_end(id)
