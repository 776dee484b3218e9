"""LFU: the id that was used least often since it came leaves; of equals, the least recently used.

    uses 1   4  9        hit 9:   1   4          miss 5:   1   5          4 had one use, and so leaves
         3   2                    2   9                    2   9
                                  3   2                    3   2

Counts begin anew, at 1, each time an id is loaded: they do not survive eviction (libCacheSim's LFU, "in-cache LFU";
there an id joins the end of its count's list with each use, which is the same rule for ties).
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

import numpy as np

from .base import Cache, as_ids


class LFU(Cache):
    """The least frequently used id leaves, among equals the least recently used; counts do not survive eviction."""

    def __init__(self, capacity: int, row_bytes: int = 0):
        super().__init__(capacity, row_bytes)
        self._uses: dict[int, int] = {}                             # id -> uses since it came
        self._lines: dict[int, OrderedDict[int, None]] = {}         # uses -> ids, the least recently used first
        self._least = 1                                             # no line below it holds an id

    def uses(self, id: int) -> int:
        """How often an id was used since it came; 0 for one that is not here."""
        return self._uses.get(id, 0)

    def access_all(self, ids) -> np.ndarray:
        ids = as_ids(ids)
        if self._pins:
            return super().access_all(ids)
        slots, uses, lines, least = self._slots, self._uses, self._lines, self._least
        capacity, missed, first_here = self.capacity, [], len(slots)
        for at, id in enumerate(ids.tolist()):
            if id in slots:
                count = uses[id]
                line = lines[count]
                del line[id]
                if not line:
                    del lines[count]
                    if count == least:
                        least += 1
                count = uses[id] = count + 1
            else:
                missed.append(at)
                if len(slots) < capacity:
                    slots[id] = len(slots)
                else:
                    line = lines[least]
                    leaving = line.popitem(False)[0]
                    if not line:
                        del lines[least]
                    del uses[leaving]
                    slots[id] = slots.pop(leaving)
                count = least = uses[id] = 1
            if count in lines:
                lines[count][id] = None
            else:
                lines[count] = OrderedDict.fromkeys((id,))
        hits = np.ones(len(ids), bool)
        hits[missed] = False
        self._least = least
        self._count_misses(ids[missed], len(ids), len(slots) - first_here)
        return hits

    def _hit(self, id):
        self._leave_line(id)
        self._uses[id] += 1
        self._join_line(id)

    def _insert(self, id, slot):
        self._slots[id], self._uses[id], self._least = slot, 1, 1
        self._join_line(id)

    def _leave(self, count, keep):
        if not count:
            return []
        in_order = (id for uses in sorted(self._lines) for id in self._lines[uses] if id not in keep)
        gone = [(id, self._slots.pop(id)) for id in list(islice(in_order, count))]
        for id, _ in gone:
            self._leave_line(id)
            del self._uses[id]
        return gone

    def _join_line(self, id: int) -> None:
        self._lines.setdefault(self._uses[id], OrderedDict())[id] = None

    def _leave_line(self, id: int) -> None:
        count = self._uses[id]
        line = self._lines[count]
        del line[id]
        if not line:
            del self._lines[count]
            if count == self._least:        # a hit: the id goes to the next line; who leaves makes room for a new one
                self._least += 1
