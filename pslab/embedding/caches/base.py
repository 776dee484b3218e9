"""One interface for every cache of rows: which ids are in it, in which slot, and which id leaves for another.

    ids   7   2   7   9   4        access(id): one at a time, in order; hit: the row is here
    slot  0   1   0   2   1        a miss loads the row into a slot; when all are taken the policy names who leaves (2)

A cache knows ids and slots and no rows: whoever keeps rows (a tiered store, a worker's copies) has `capacity` places
for them and moves row `loaded[i]` into its slot and `evicted[i]` out of it. Subclasses keep `_slots`, the ids that are
here, and say three things: `_hit` (it was used), `_insert` (it is here now) and `_leave` (these go).

The words are those of libCacheSim: a miss always loads (but in StaticTopK), and evicts before it inserts. Of the
misses, the compulsory ones are the first access to an id, which no cold cache of any size avoids; all others are
capacity misses here, whether size or policy is to blame.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CacheStats:
    """Counts of accesses. misses = compulsory + capacity; bytes = misses × row_bytes, what had to be fetched."""

    hits: int
    misses: int
    compulsory: int
    capacity: int
    evictions: int
    bytes: int

    @property
    def accesses(self) -> int:
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float:
        """hits / accesses; 0 before the first access."""
        return self.hits / self.accesses if self.accesses else 0.0


@dataclass(frozen=True)
class Batch:
    """What a batch asks of whoever keeps the rows.

    slots (n,) int64: where the row of each id lies (-1: the cache does not keep it, read it from below).
    loaded, loaded_slots (m,): ids to be fetched, in the order of their first appearance. evicted, evicted_slots (e,):
    ids that left, and the slots that they held. Write the evicted rows back before the loaded ones overwrite them.
    """

    slots: np.ndarray
    loaded: np.ndarray
    loaded_slots: np.ndarray
    evicted: np.ndarray
    evicted_slots: np.ndarray


class Cache:
    """At most `capacity` ids. row_bytes: bytes of a row, for `stats.bytes` (0: not counted)."""

    _slots: MutableMapping[int, int]        # id -> its slot

    def __init__(self, capacity: int, row_bytes: int = 0):
        for name, value, least in (("capacity", capacity, 1), ("row_bytes", row_bytes, 0)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{name}={value!r}; a whole number from {least} is needed")
        self.capacity, self.row_bytes = int(capacity), int(row_bytes)
        self.hits = self.misses = self.compulsory = self.evictions = 0
        self._seen: set[int] = set()        # ids that were accessed at least once
        self._pins: dict[int, int] = {}     # id -> how many hold it
        self._slots = {}

    # ---- one by one ------------------------------------------------------------------------------------------------

    def access(self, id: int) -> bool:
        """Use one id: True when it was here. A miss loads it; ValueError when every row is pinned."""
        id = operator.index(id)
        self._expect([id], whole=False)
        if id in self._slots:
            self._begin([id], whole=False)
            self.hits += 1
            self._hit(id)
            return True
        admitted = self._admits(id)
        if admitted and len(self._slots) == self.capacity and len(self._pins) == self.capacity:
            raise ValueError(f"id {id} needs a slot, but all {self.capacity} rows of the cache are pinned; unpin some")
        self._begin([id], whole=False)
        self._count_miss(id)
        if admitted:
            slot = len(self._slots)
            if slot == self.capacity:
                [(_, slot)] = self._leave(1, self._pins)
                self.evictions += 1
            self._insert(id, slot)
        else:
            self._pass(id)
        return False

    def access_all(self, ids) -> np.ndarray:
        """(n,) bool: the hits of these ids, one after the other. The same as a loop over `access`, and faster."""
        ids = as_ids(ids)
        return np.fromiter(map(self.access, ids.tolist()), bool, len(ids))

    # ---- a batch at once -------------------------------------------------------------------------------------------

    def batch(self, ids, hold: bool = False) -> Batch:
        """Use the ids of a batch, none of which leaves for another one of them.

        ids (n,) in order, may repeat: the first appearance of one that is not here is a miss, all others are hits. Rows
        of the batch that are here stay, so the rows that leave are those that the policy would choose among the
        others; free slots are filled first. After the call they may leave again, but for hold=True: then they stay
        pinned until `unpin(ids)` (each distinct id once), for a batch that is being fetched or not yet written back.

        ValueError, and nothing has changed, when the distinct ids and the pinned rows do not fit into the cache
        together.
        """
        ids = as_ids(ids)
        order = ids.tolist()
        distinct = dict.fromkeys(order)
        missing = [id for id in distinct if id not in self._slots and self._admits(id)]
        self._check_room(distinct, missing)
        self._expect(order, whole=True)
        self._begin(order, whole=True)
        gone = self._leave(max(0, len(self._slots) + len(missing) - self.capacity), self._pins.keys() | distinct.keys())
        self.evictions += len(gone)
        taken = len(self._slots) + len(gone)                # slots that were ever used
        free = [*range(taken, taken + len(missing) - len(gone)), *(slot for _, slot in gone)]
        waiting = dict(zip(missing, free))
        for id in order:
            slot = waiting.pop(id, None)
            if slot is not None:
                self._count_miss(id)
                self._insert(id, slot)
            elif id in self._slots:
                self.hits += 1
                self._hit(id)
            else:
                self._count_miss(id)
                self._pass(id)
        if hold:
            self.pin([id for id in distinct if id in self._slots])
        evicted, evicted_slots = zip(*gone) if gone else ((), ())
        slots = np.fromiter((self._slots.get(id, -1) for id in order), np.int64, len(order))
        return Batch(slots, *(np.array(part, np.int64) for part in (missing, free, evicted, evicted_slots)))

    def pin(self, ids) -> None:
        """Keep these ids here until as many `unpin`; they must be here. A pin is no use: counts and order stay."""
        ids = as_ids(ids).tolist()
        absent = [id for id in ids if id not in self._slots]
        if absent:
            raise ValueError(f"id {absent[0]} is not in the cache and cannot be pinned; batch(ids, hold=True) loads "
                             f"and pins it")
        for id in ids:
            self._pins[id] = self._pins.get(id, 0) + 1

    def unpin(self, ids) -> None:
        """Take back one pin of each of these ids; ids may be rows of a batch that StaticTopK did not keep."""
        ids = as_ids(ids).tolist()
        for id, count in Counter(ids).items():
            if count > self._pins.get(id, 0) and (id in self._slots or self._admits(id)):
                raise ValueError(f"id {id} has {self._pins.get(id, 0)} pins and {count} are to be taken back; every "
                                 f"pin is taken back once")
        for id in ids:
            count = self._pins.pop(id, 0)
            if count > 1:
                self._pins[id] = count - 1

    # ---- what is here ----------------------------------------------------------------------------------------------

    def __contains__(self, id: int) -> bool:
        return id in self._slots

    def __len__(self) -> int:
        return len(self._slots)

    def ids(self) -> np.ndarray:
        """(len,) int64: the ids that are here, ascending."""
        return np.array(sorted(self._slots), np.int64)

    def slots(self, ids) -> np.ndarray:
        """(n,) int64: the slot of each id, -1 where it is not here. No use of it: counts and order stay."""
        ids = as_ids(ids).tolist()
        return np.fromiter((self._slots.get(id, -1) for id in ids), np.int64, len(ids))

    @property
    def pinned(self) -> np.ndarray:
        """Ids that are pinned, ascending."""
        return np.array(sorted(self._pins), np.int64)

    @property
    def capacity_misses(self) -> int:
        """Misses of ids that were accessed before."""
        return self.misses - self.compulsory

    @property
    def stats(self) -> CacheStats:
        """The counts so far."""
        return CacheStats(self.hits, self.misses, self.compulsory, self.capacity_misses, self.evictions,
                          self.misses * self.row_bytes)

    # ---- what a policy says ----------------------------------------------------------------------------------------

    def _hit(self, id: int) -> None:
        """An id that is here was used."""
        raise NotImplementedError

    def _insert(self, id: int, slot: int) -> None:
        """An id is here from now on; there is room."""
        raise NotImplementedError

    def _leave(self, count: int, keep: Iterable[int]) -> list[tuple[int, int]]:
        """Take out `count` ids, none of them in `keep`: (id, slot) in the order in which they leave."""
        raise NotImplementedError

    def _admits(self, id: int) -> bool:
        """Whether a miss of this id loads it."""
        return True

    def _pass(self, id: int) -> None:
        """An id that is not admitted was used."""

    def _expect(self, ids: list[int], whole: bool) -> None:
        """Before an access, or a (whole) batch: ValueError when the policy was told of other ids; changes nothing."""

    def _begin(self, ids: list[int], whole: bool) -> None:
        """These ids, which were expected, are now used: `_hit`, `_insert` or `_pass` follow for each, in order."""

    # ---- helpers ---------------------------------------------------------------------------------------------------

    def _count_miss(self, id: int) -> None:
        self.misses += 1
        if id not in self._seen:
            self._seen.add(id)
            self.compulsory += 1

    def _count_misses(self, missed: np.ndarray, accesses: int, filled: int) -> None:
        """Of so many accesses: the ids that missed, in order; `filled` of them took a free slot, or none at all."""
        before = len(self._seen)
        self._seen.update(np.unique(missed).tolist())
        self.hits += accesses - len(missed)
        self.misses += len(missed)
        self.compulsory += len(self._seen) - before
        self.evictions += len(missed) - filled

    def _check_room(self, distinct: dict, missing: list[int]) -> None:
        here = sum(id in self._slots for id in distinct)
        held = sum(id not in distinct for id in self._pins)
        if here + len(missing) + held > self.capacity:
            raise ValueError(f"a batch of {here + len(missing)} distinct ids beside {held} pinned rows does not fit "
                             f"into a cache of {self.capacity}; a smaller batch, fewer batches ahead, or more capacity "
                             f"is needed")


def as_ids(ids) -> np.ndarray:
    """(n,) integers from a list, array or tensor; ValueError for anything else."""
    array = np.asarray(ids.cpu() if hasattr(ids, "cpu") else ids)
    if array.ndim != 1:
        raise ValueError(f"ids of shape {list(array.shape)}; one axis, (n,), is needed")
    if array.dtype.kind not in "iu":
        if array.size:
            raise ValueError(f"ids of type {array.dtype}; integers are needed")
        array = array.astype(np.int64)
    return array
