"""Least recently used, in arrays: what a tier needs to know of its rows in a few bytes each.

    slot_of  (R,)   the slot of each id; NEVER here yet, or GONE again
    id_of    (C,)   the id in each slot       used (C,)   when it was used last      pins (C,)   how many hold it

It does what pslab.embedding.caches.LRU does, batch for batch and slot for slot, and takes 4 R + 34 C bytes, where
dictionaries take some hundred bytes a row. Victims are found some thousand at a time: the C/8 longest unused slots are
put in order once; of these, whoever was used since is passed over, and all others are younger than the last of them.
"""

from __future__ import annotations

import numpy as np

from ..caches import Batch, CacheStats

NEVER, GONE = -1, -2


class SlotLRU:
    """`capacity` slots for rows of ids 0..num_rows - 1. The face of pslab.embedding.caches.Cache, for distinct ids."""

    def __init__(self, capacity: int, num_rows: int, row_bytes: int = 0):
        self.capacity, self.row_bytes = capacity, row_bytes
        self.hits = self.misses = self.compulsory = self.evictions = 0
        self._slot_of = np.full(num_rows, NEVER, np.int32)
        self.id_of = np.empty(capacity, np.int64)
        self._used = np.zeros(capacity, np.int64)
        self._pins = np.zeros(capacity, np.int16)
        self._now = self._len = 0
        self._next = np.empty(0, np.int64)      # slots longest unused, oldest first
        self._ordered_at = 0                    # what `_now` was when they were put in order

    @staticmethod
    def bytes_for(num_rows: int) -> tuple[int, int]:
        """(bytes whatever the capacity, bytes a slot), the ordering of victims included."""
        return 4 * num_rows, 34

    def batch(self, ids: np.ndarray, hold: bool = False) -> Batch:
        """Use ids (n,), distinct; none of them leaves for another. hold: pin them until `unpin`."""
        slots = self._slot_of[ids].astype(np.int64)
        missed = (slots < 0).nonzero()[0]
        free = min(len(missed), self.capacity - self._len)
        held = int(np.count_nonzero(self._pins)) - int(np.count_nonzero(self._pins[slots[slots >= 0]]))
        if len(ids) + held > self.capacity:
            raise ValueError(f"a batch of {len(ids)} distinct ids beside {held} pinned rows does not fit into a cache "
                             f"of {self.capacity}; a smaller batch, fewer batches ahead, or more capacity is needed")
        present = slots[slots >= 0]
        self._pins[present] += 1                # nobody of the batch leaves
        gone = self._leave(len(missed) - free)
        self._pins[present] -= 1
        evicted = self.id_of[gone]
        self._slot_of[evicted] = GONE
        new = np.concatenate([np.arange(self._len, self._len + free), gone])
        loaded = ids[missed]
        self.compulsory += int(np.count_nonzero(slots[missed] == NEVER))
        slots[missed] = new
        self._slot_of[loaded], self.id_of[new] = new, loaded
        self._used[slots] = np.arange(self._now, self._now + len(ids))
        self._now, self._len = self._now + len(ids), self._len + free
        self.hits, self.misses = self.hits + len(ids) - len(missed), self.misses + len(missed)
        self.evictions += len(gone)
        if hold:
            self._pins[slots] += 1
        return Batch(slots, loaded, new, evicted, gone)

    def _leave(self, count: int) -> np.ndarray:
        """The slots of the `count` longest unused rows that are not pinned, in that order."""
        found, look = [np.empty(0, np.int64)], max(1024, 2 * count)
        while count:
            line = self._next[:look]
            waits = self._used[line] < self._ordered_at                 # else it was used since, or taken
            free = (waits & (self._pins[line] == 0)).nonzero()[0][:count]
            passed = int(free[-1]) + 1 if free.size == count else len(line)
            waits[free] = False                                         # those passed that are pinned stay in line
            taken = line[free]
            self._used[taken] = self._now
            self._next = np.concatenate([line[:passed][waits[:passed]], self._next[passed:]])
            found.append(taken)
            count -= taken.size
            if count and look >= len(self._next):
                self._order()
            look *= 2
        return np.concatenate(found)

    def _order(self) -> None:
        """Put the slots that were not used for the longest time in order, some of them not pinned."""
        used = self._used[:self._len]
        most = max(1, self.capacity // 8) + int(np.count_nonzero(self._pins))
        oldest = np.argpartition(used, most - 1)[:most] if most < len(used) else np.arange(len(used))
        self._next = oldest[np.argsort(used[oldest], kind="stable")]
        self._ordered_at = self._now

    # ---- what is here ----------------------------------------------------------------------------------------------

    def slots(self, ids: np.ndarray) -> np.ndarray:
        """(n,) int64: the slot of each id, negative where it is not here. It is no use of them."""
        return self._slot_of[ids].astype(np.int64)

    def pin(self, ids: np.ndarray) -> None:
        self._pins[self._slot_of[ids]] += 1

    def unpin(self, ids: np.ndarray) -> None:
        self._pins[self._slot_of[ids]] -= 1

    def ids(self) -> np.ndarray:
        """(len,) int64: the ids that are here, ascending."""
        return np.sort(self.id_of[:self._len])

    def __len__(self) -> int:
        return self._len

    @property
    def stats(self) -> CacheStats:
        return CacheStats(self.hits, self.misses, self.compulsory, self.misses - self.compulsory, self.evictions,
                          self.misses * self.row_bytes)
