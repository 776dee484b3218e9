"""CLOCK: a ring of slots, one bit each, and a hand; who was used since the hand last passed gets a second chance.

         hand                  a hit sets the bit of its slot, and moves nothing
          v                    a miss: the hand clears the bits that are set and stops at the first that is not:
    4'  9'  2   7'             9 loses its bit, 2 leaves, the new id takes its slot, and the hand moves on to 7

A new id comes with its bit at 0: only a use after that earns the second chance (libCacheSim's Clock with a counter of
one bit, which is the same as FIFO with reinsertion). Hits write one bit, where LRU would move a list's links.
"""

from __future__ import annotations

import numpy as np

from .base import Cache, as_ids


class CLOCK(Cache):
    """One reference bit a slot and a hand. The hand passes pinned ids without touching their bit."""

    def __init__(self, capacity: int, row_bytes: int = 0):
        super().__init__(capacity, row_bytes)
        self._ring: list[int] = []                      # by slot: the id there
        self._bits = bytearray(self.capacity)           # by slot: used since the hand passed
        self._hand = 0

    def access_all(self, ids) -> np.ndarray:
        ids = as_ids(ids)
        if self._pins:
            return super().access_all(ids)
        slots, ring, bits, hand = self._slots, self._ring, self._bits, self._hand
        capacity, missed, first_here = self.capacity, [], len(slots)
        for at, id in enumerate(ids.tolist()):
            if id in slots:
                bits[slots[id]] = 1
                continue
            missed.append(at)
            if len(ring) < capacity:
                slots[id] = len(ring)
                ring.append(id)
                continue
            while bits[hand]:
                bits[hand] = 0
                hand = hand + 1 if hand + 1 < capacity else 0
            del slots[ring[hand]]
            slots[id], ring[hand] = hand, id
            hand = hand + 1 if hand + 1 < capacity else 0
        hits = np.ones(len(ids), bool)
        hits[missed] = False
        self._hand = hand
        self._count_misses(ids[missed], len(ids), len(slots) - first_here)
        return hits

    def _hit(self, id):
        self._bits[self._slots[id]] = 1

    def _insert(self, id, slot):
        self._slots[id] = slot
        if slot == len(self._ring):
            self._ring.append(id)
        else:
            self._ring[slot] = id

    def _leave(self, count, keep):
        gone, keep = [], set(keep)
        while len(gone) < count:
            slot = self._hand
            id = self._ring[slot] if slot < len(self._ring) else None       # None: a slot that this batch fills
            if id in self._slots and id not in keep:                        # not: pinned, or it left a round ago
                if self._bits[slot]:
                    self._bits[slot] = 0
                else:
                    gone.append((id, slot))
                    del self._slots[id]
            self._hand = (slot + 1) % self.capacity
        return gone
