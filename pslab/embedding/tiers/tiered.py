"""The rows in use in fast memory, all of them in a slower store: two stores that behave as one.

    read 7, 9 ──> cache: 7 has slot 2, 9 is not here: slot 0, where 4 lies, which was not used for the longest time
                  4 was written since it came: slow.write(4)         else nothing needs to be written
                  slow.read(9) ──> slot 0                            fast.read(slots 2, 0)

A TieredStore is a RowStore: TieredStore(TieredStore(DiskStore(...), ram_bytes), device_bytes, fast=DeviceStore) has the
hottest rows on the device, the warm ones in RAM and all of them on the disk. Nothing is written below but rows that
leave or are flushed, so a flush goes down through all tiers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import ceil

import numpy as np

from .holding import Holding
from .memory import MemoryStore
from .slots import SlotLRU
from .store import RowStore, check_ids, whole

_FLUSH_BYTES = 1 << 18      # rows go down in pieces of this size
_KEPT_SHARE = 7 / 8         # of a budget in RAM; the rest is for rows of a batch on their way
_POLICY_BYTES = 400         # of a cache made of dictionaries, a slot


class TieredStore(Holding, RowStore):
    """The rows of `slow`, those in use in `fast`, which takes at most budget_bytes.

    budget_bytes: in RAM all that the tier takes counts: its rows, what the cache keeps about them (4 bytes for every
    row of the table, some 40 for each row that is here), the buffers of `slow`, and an eighth for the copies that a
    batch makes on its way. capacity: rows that fit.
    policy: "lru", or a function of the capacity that gives a cache of pslab.embedding.caches. What such a cache keeps
    of every id it has ever seen is not counted.
    fast: a function of (number of slots, width) that gives their store; None: RAM. A DeviceStore's memory alone counts.
    ValueError where no row fits, and for a batch of more distinct rows than fit.
    """

    def __init__(self, slow: RowStore, budget_bytes: int, policy: str | Callable = "lru",
                 fast: Callable[[int, int], RowStore] | None = None):
        super().__init__(slow.num_rows, slow.width)
        self.slow, self.threads = slow, slow.threads
        self.budget_bytes = whole("budget_bytes", budget_bytes)
        if policy != "lru" and not callable(policy):
            raise ValueError(f"policy={policy!r}; 'lru', or a function of the capacity that gives a cache, is needed")
        self._fixed_bytes, self._slot_bytes, self._share = 0, 4 * self.width, 1.0
        if fast is None:
            fixed, slot = SlotLRU.bytes_for(self.num_rows) if policy == "lru" else (0, _POLICY_BYTES)
            self._fixed_bytes, self._slot_bytes = fixed + slow.buffer_bytes, self._slot_bytes + slot + 2
            self._share = _KEPT_SHARE
        room = int(self.budget_bytes * self._share) - self._fixed_bytes
        self.capacity = min(room // self._slot_bytes, self.num_rows)
        if self.capacity < 1:
            raise ValueError(f"budget_bytes={self.budget_bytes:,}; {self.bytes_for(1):,} are needed for a single row "
                             f"({self._fixed_bytes:,} whatever fits, and {self._slot_bytes} a row)")
        self.fast = (MemoryStore if fast is None else fast)(self.capacity, self.width)
        self.cache = SlotLRU(self.capacity, self.num_rows, 4 * self.width) if policy == "lru" else policy(self.capacity)
        if self.cache.capacity != self.capacity:
            raise ValueError(f"policy gave a cache of {self.cache.capacity} rows; {self.capacity} are needed")
        if policy == "lru":
            self._id_of = self.cache.id_of
        else:
            self._id_of, there = np.full(self.capacity, -1, np.int64), self.cache.ids()
            self._id_of[self.cache.slots(there)] = there        # a fixed choice has its slots from the beginning
        self._dirty = np.zeros(self.capacity, bool)         # written since it came
        self._filled = np.zeros(self.capacity, bool)        # has its row; else it is still to be read
        self._stranded: tuple[np.ndarray, np.ndarray] | None = None     # left, but `slow` would not take them
        self._lock = threading.RLock()
        self._news = threading.Condition(self._lock)
        self._last: tuple[np.ndarray, np.ndarray] | None = None         # ids and slots of the last batch
        self._init_holding()

    def bytes_for(self, rows: int) -> int:
        """The budget_bytes for which so many rows fit."""
        return ceil((self._fixed_bytes + rows * self._slot_bytes) / self._share)

    @property
    def name(self) -> str:
        return f"TieredStore over {self.slow.name}"

    @property
    def steps(self) -> int:
        return self.slow.steps

    @steps.setter
    def steps(self, value: int) -> None:
        self.slow.steps = value

    @property
    def stats(self):
        """The cache's counts. A row that is read and then written is used once."""
        return self.cache.stats

    # ---- rows -----------------------------------------------------------------------------------------------------

    def _read(self, ids, out):
        with self._lock:
            self._get(ids, self._use(ids), out)

    def _write(self, ids, rows):
        with self._lock:
            self._put(ids, self._use(ids, again=True, load=False), rows)

    def change(self, ids, function) -> None:
        """As of every store. Rows of the last read, or of a batch that is held, are used on and not once more."""
        with self._lock:
            self._check_open()
            ids = check_ids(ids, self.num_rows, self.name)
            if len(ids):
                slots, rows = self._use(ids, again=True), np.empty((len(ids), self.width), np.float32)
                self._get(ids, slots, rows)
                function(rows)
                self._put(ids, slots, rows)

    def tensor(self, ids):
        with self._lock:
            self._check_open()
            ids = check_ids(ids, self.num_rows, self.name)
            slots = self._use(ids)
            if not len(ids) or slots.min() >= 0:
                return self.fast.tensor(slots)
            rows = np.empty((len(ids), self.width), np.float32)
            self._get(ids, slots, rows)
            return self.fast.tensor(slots[:0]).new_tensor(rows)

    def peek(self, ids):
        with self._lock:
            self._check_open()
            self._settle()
            ids = check_ids(ids, self.num_rows, self.name)
            rows, slots = np.empty((len(ids), self.width), np.float32), self.cache.slots(ids)
            here = slots >= 0
            here[here] = self._filled[slots[here]]
            rows[here] = self.fast.read(slots[here])
            rows[~here] = self.slow.peek(ids[~here])
            return rows

    def _get(self, ids: np.ndarray, slots: np.ndarray, out: np.ndarray) -> None:
        if slots.min() >= 0:
            self.fast._read(slots, out)
            return
        kept = slots >= 0                       # the others the cache does not keep: they pass by
        out[kept] = self.fast.read(slots[kept])
        out[~kept] = self.slow.read(ids[~kept])

    def _put(self, ids: np.ndarray, slots: np.ndarray, rows: np.ndarray) -> None:
        if slots.min() < 0:
            kept = slots >= 0
            self.slow.write(ids[~kept], rows[~kept])
            ids, slots, rows = ids[kept], slots[kept], rows[kept]
        self.fast._write(slots, rows)
        self._dirty[slots] = self._filled[slots] = True

    # ---- slots ----------------------------------------------------------------------------------------------------

    def _use(self, ids: np.ndarray, again: bool = False, load: bool = True) -> np.ndarray:
        """(n,) slots of the ids, each with its row in it unless load=False; -1 for a row that the cache does not keep.

        again: those of the last batch are used on, and not once more. So are those of a batch that is held.
        """
        self._settle()
        slots = self._slots_of_last(ids) if again else None
        if slots is None:
            slots = self._slots_of_held(ids)
        if slots is None and again:
            slots = self.cache.slots(ids)
            slots = slots if (slots >= 0).all() else None
        if slots is None:
            slots = self._batch(ids)
            self._last = ids.copy(), slots                      # the caller may write other ids into the array
        if load:
            self._fill(ids, slots)
        return slots

    def _slots_of_last(self, ids):
        if self._last is not None and np.array_equal(self._last[0], ids):
            return self._last[1]
        return None

    def _batch(self, ids: np.ndarray, hold: bool = False) -> np.ndarray:
        """Give every id a slot; rows that leave go down where they were written."""
        if len(ids) > self.capacity:
            raise ValueError(f"a batch of {len(ids)} distinct rows, but budget_bytes={self.budget_bytes:,} keeps "
                             f"{self.capacity}: budget_bytes={self.bytes_for(len(ids)):,} or a smaller batch is needed")
        batch = self.cache.batch(ids, hold)
        self._last = None
        leaving = batch.evicted_slots[self._dirty[batch.evicted_slots]]
        rows = self.fast.read(leaving) if leaving.size else None
        gone = batch.evicted[self._dirty[batch.evicted_slots]]
        self._dirty[batch.evicted_slots] = False
        self._filled[batch.loaded_slots] = False
        self._id_of[batch.loaded_slots] = batch.loaded
        if rows is not None:
            self._stranded = gone, rows
            try:
                self._settle()
            except BaseException:
                if hold:
                    self.cache.unpin(ids)
                raise
        return batch.slots

    def _settle(self) -> None:
        """Bring rows that left down. While that fails every call does, and the rows are kept."""
        if self._stranded is not None:
            self.slow.write(*self._stranded)
            self._stranded = None

    def _fill(self, ids: np.ndarray, slots: np.ndarray) -> None:
        """Read the rows of slots that have none."""
        empty = ((slots >= 0) & ~self._filled[slots]).nonzero()[0]
        if empty.size:
            mine = self._wait_for_held(ids, slots, empty)
            if mine.size:
                self.fast.write(slots[mine], self.slow.read(ids[mine]))
                self._filled[slots[mine]] = True

    # ---- down -----------------------------------------------------------------------------------------------------

    def _flush(self):
        with self._lock:
            self._settle()
            slots = self._dirty.nonzero()[0]
            slots = slots[np.argsort(self._id_of[slots])]       # neighbours on the disk leave together
            block = max(1, _FLUSH_BYTES // (4 * self.width))
            for lo in range(0, len(slots), block):
                some = slots[lo:lo + block]
                self.slow.write(self._id_of[some], self.fast.read(some))
                self._dirty[some] = False
            self.slow.flush()

    def close(self):
        with self._lock:
            super().close()
            self.slow.close()

    def _release(self):
        self.fast.abandon()

    def abandon(self):
        super().abandon()
        self.slow.abandon()
