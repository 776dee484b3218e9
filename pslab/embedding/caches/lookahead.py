"""LookAhead: the oracle made real, as far as it can see: the loader's coming batches are read before they are used.

    announced   [ 7 2 7 ] [ 9 2 ] [ 4 7 ] ...       used now │ window = 2 batches that are coming
    in cache    2  needed at 4        7  needed at 6        5  not as far as is known: it leaves first

Who is needed last among the announced ids leaves, as with Belady; ids that are not announced leave before all others,
of those the least recently used first. With all batches announced it evicts just what Belady's oracle evicts; with a
window of 0 batches it knows the rest of the batch in use.

On any stream, with any window: misses of Belady <= misses of LookAhead <= misses of LRU. The second holds because
whenever it has given up a row y that LRU still has, it has a row x in return that LRU gave up, and knows that x is used
before y: so LRU misses x before y is missed here. (It gives up y rather than x only where x is announced to come
before y, or where both are unknown and y is the older use; then LRU does not have y either.)
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from .base import Cache, as_ids

_UNKNOWN = 1 << 62          # above all positions; minus the moment of the last use


class LookAhead(Cache):
    """Evicts by the coming batches, which `announce` or `read_ahead` tell it of.

    window: how many batches may be announced beyond the one in use, a whole number from 0; None: any number. What is
    used must be what was announced, in that order: access by access, or batch by batch (then the distinct ids count,
    in any order). Where nothing is announced any id may come, and it is an LRU cache.
    """

    def __init__(self, capacity: int, window: int | None = None, row_bytes: int = 0):
        super().__init__(capacity, row_bytes)
        if window is not None and (isinstance(window, bool) or not isinstance(window, int | np.integer) or window < 0):
            raise ValueError(f"window={window!r}; a whole number of coming batches from 0, or None, is needed")
        self.window = window
        self._coming: deque[deque[int]] = deque()       # announced and not yet used: ids batch by batch
        self._needed: dict[int, deque[int]] = {}        # id -> the announced positions at which it will be used
        self._end = self._uses = 0                      # ids announced so far; uses so far
        self._key: dict[int, int] = {}                  # id in the cache -> when it is needed; the largest leaves
        self._heap: list[tuple[int, int]] = []          # (-key, id), true where it is still the key of the id

    def announce(self, ids) -> None:
        """The next batch behind those announced so far, (n,) ids in the order of their use."""
        ids = as_ids(ids).tolist()
        if not ids:
            return
        if self.window is not None and len(self._coming) > self.window:
            raise ValueError(f"{len(self._coming)} batches are announced and not used up: the one in use and window="
                             f"{self.window} coming ones; use one, then announce the next")
        self._coming.append(deque(ids))
        for position, id in enumerate(ids, self._end):
            positions = self._needed.setdefault(id, deque())
            positions.append(position)
            if len(positions) == 1 and id in self._slots:
                self._set_key(id)
        self._end += len(ids)

    def read_ahead(self, batches: Iterable, ids_of: Callable = as_ids) -> Iterator:
        """The batches, one by one, each announced when it comes into the window; use each before the next is asked for.

        ids_of(batch): the ids that will be used for it (of a KVWorker's pull: its distinct keys). window=None reads
        all batches before it gives the first.
        """
        ready, source = deque(), iter(batches)
        for batch in source:
            self.announce(ids_of(batch))
            ready.append(batch)
            if self.window is not None and len(ready) > self.window:
                yield ready.popleft()
        yield from ready

    def replay(self, batches: Iterable) -> np.ndarray:
        """(n,) bool: the hits of the ids of all batches, used one by one while `window` batches are known ahead."""
        hits = [self.access_all(ids) for ids in self.read_ahead(batches)]
        return np.concatenate(hits) if hits else np.empty(0, bool)

    def _expect(self, ids, whole):
        if whole:
            if self._coming and ids and set(ids) != set(self._coming[0]):
                raise ValueError(f"a batch of the ids {_some(ids)} came, but announced was one of "
                                 f"{_some(self._coming[0])}")
        elif self._coming and ids[0] != self._coming[0][0]:
            raise ValueError(f"id {ids[0]} came, but announced was {self._coming[0][0]}")

    def _begin(self, ids, whole):
        if not self._coming:
            return                          # its uses are not announced: no position passes
        used = self._coming[0] if whole and ids else ids
        for id in used:
            positions = self._needed[id]
            positions.popleft()
            if not positions:
                del self._needed[id]
        if not whole:
            self._coming[0].popleft()
        if (whole and ids) or not self._coming[0]:
            self._coming.popleft()

    def _hit(self, id):
        self._uses += 1
        self._set_key(id)

    def _insert(self, id, slot):
        self._slots[id] = slot
        self._hit(id)

    def _leave(self, count, keep):
        gone, kept = [], []
        while len(gone) < count:
            key, id = entry = heapq.heappop(self._heap)
            if self._key.get(id) != -key:
                continue                    # of an earlier use, or of an id that left
            if id in keep:
                kept.append(entry)
            else:
                gone.append((id, self._slots.pop(id)))
                del self._key[id]
        for entry in kept:
            heapq.heappush(self._heap, entry)
        return gone

    def _set_key(self, id: int) -> None:
        key = self._needed[id][0] if id in self._needed else _UNKNOWN - self._uses
        self._key[id] = key
        heapq.heappush(self._heap, (-key, id))
        if len(self._heap) > 4 * self.capacity + 1024:
            self._heap = [(-key, id) for id, key in self._key.items()]
            heapq.heapify(self._heap)


def _some(ids) -> str:
    distinct = sorted(set(ids))
    return f"{distinct[:6]}" if len(distinct) <= 6 else f"{distinct[:6]} and {len(distinct) - 6} more"
