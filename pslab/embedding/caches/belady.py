"""Belady's oracle: the id that is used again last leaves. No cache that loads every miss has fewer misses.

    stream  a b c a b d a      capacity 2, at c:  a is used again at 3, b at 4: b leaves

It is told the whole stream beforehand and then has to be asked for just that. As in libCacheSim, a miss always loads,
even an id that is never used again; so StaticTopK, which loads nothing after its start, may have fewer misses. Ids that
are never used again leave before all others, of those the least recently used first. (Among ids that are used again
there are no ties, and which of the others goes changes no count.) Belady (1966); optimal: Mattson et al. (1970).
"""

from __future__ import annotations

import heapq

import numpy as np

from .base import Cache, as_ids
from .reuse import next_use


class Belady(Cache):
    """The oracle for one stream, (n,) ids; accesses and batches must follow it, ValueError where they do not."""

    def __init__(self, capacity: int, stream, row_bytes: int = 0):
        super().__init__(capacity, row_bytes)
        self._stream, self._at = as_ids(stream).tolist(), 0
        # When each use's id is used again; after its last use the later, the longer ago it was: n + (n - t).
        count = len(self._stream)
        again = next_use(stream)
        never = again == count
        again[never] = 2 * count - np.flatnonzero(never)
        self._again = again.tolist()
        self._heap: list[int] = []          # -again of the last use of each id here, and of some earlier uses

    @property
    def position(self) -> int:
        """How far into the stream it is."""
        return self._at

    def access_all(self, ids) -> np.ndarray:
        ids = as_ids(ids)
        order, start, count = ids.tolist(), self._at, len(self._stream)
        self._expect(order, whole=False)
        if self._pins:
            return super().access_all(ids)
        slots, again, heap, capacity = self._slots, self._again, self._heap, self.capacity
        missed, first_here, stream = [], len(slots), self._stream
        for at, id in enumerate(order, start):
            if id not in slots:
                missed.append(at - start)
                if len(slots) < capacity:
                    slots[id] = len(slots)
                else:
                    last = -heapq.heappop(heap)
                    slots[id] = slots.pop(stream[last if last < count else 2 * count - last])
            heapq.heappush(heap, -again[at])
            if len(heap) > 4 * capacity + 1024:
                self._at = at + 1
                self._forget_past()
        self._at = start + len(order)
        hits = np.ones(len(ids), bool)
        hits[missed] = False
        self._count_misses(ids[missed], len(ids), len(slots) - first_here)
        return hits

    def _expect(self, ids, whole):
        told = self._stream[self._at:self._at + len(ids)]
        if told != ids:
            at = next((i for i, (one, other) in enumerate(zip(told, ids)) if one != other), len(told))
            says = f"says {told[at]}" if at < len(told) else f"has {len(self._stream)} ids"
            raise ValueError(f"access {self._at + at} is id {ids[at]}, but the stream that Belady was given {says}; it "
                             f"decides for that stream and no other")

    def _hit(self, id):
        heapq.heappush(self._heap, -self._again[self._at])
        self._at += 1
        if len(self._heap) > 4 * self.capacity + 1024:
            self._forget_past()

    def _insert(self, id, slot):
        self._slots[id] = slot
        self._hit(id)

    def _leave(self, count, keep):
        # The heap's first entry is true: an entry of an earlier use names a position that is past, so it lies below
        # those of all ids here. Only in a batch, that begins at _at, do ids here have entries that are to be kept.
        gone, kept, size = [], [], len(self._stream)
        while len(gone) < count:
            entry = heapq.heappop(self._heap)
            id = self._stream[-entry if -entry < size else 2 * size + entry]
            if id in keep:
                kept.append(entry)
            else:
                gone.append((id, self._slots.pop(id)))
        for entry in kept:
            heapq.heappush(self._heap, entry)
        return gone

    def _forget_past(self) -> None:
        """Drop entries of uses that are past, in place."""
        self._heap[:] = [entry for entry in self._heap if -entry >= self._at]
        heapq.heapify(self._heap)
