"""Rows of coming batches, brought into the fast store by another thread while this one computes.

    hold(ids)      slots are given at once, under the lock, and pinned: from now on the rows are here, or on their way
    fetch(held)    the rows are read from `slow` without the lock, and then put into their slots
    drop(held)     the batch was used: its rows may leave

Because slots are given first, no second copy of a row could grow stale: whoever wants a row that is on its way waits
for it, and a row that was written meanwhile has no slot to fill any more. Rows that leave for a held batch are handed
to `slow` before their slots are given away, so that a later read finds them there.
"""

from __future__ import annotations

import numpy as np

from .store import check_ids


class Held:
    """A batch whose rows are pinned: ids (n,), their slots, and which of them (m,) are still to be fetched."""

    def __init__(self, ids: np.ndarray, slots: np.ndarray, missing: np.ndarray):
        self.ids, self.slots, self.missing = ids, slots, missing


class Holding:
    """The part of a TieredStore that holds batches."""

    def _init_holding(self) -> None:
        self._held: list[Held] = []
        self._coming = np.zeros(self.capacity, bool)        # a held batch is fetching the row of this slot

    def hold(self, ids: np.ndarray, give_up=None) -> Held | None:
        """Give the ids (n,), distinct, slots that they keep until `drop`.

        Where they do not fit beside what is held already, waits until something is dropped; None when give_up() is true
        then, which is asked after every `wake` too.
        """
        with self._lock:
            self._check_open()
            ids = check_ids(ids, self.num_rows, self.name).copy()   # kept until `drop`
            while not self._fits(ids):
                if give_up is not None and give_up():
                    return None
                self._news.wait()
            self._settle()
            slots = self._batch(ids, hold=True)
            empty = ((slots >= 0) & ~self._filled[slots]).nonzero()[0]
            held = Held(ids, slots, empty[~self._coming[slots[empty]]])
            self._coming[slots[held.missing]] = True
            self._held.append(held)
            return held

    def fetch(self, held: Held) -> None:
        """Read what the batch lacks."""
        try:
            if held.missing.size:
                rows = self.slow.read(held.ids[held.missing])
                with self._lock:
                    slots = held.slots[held.missing]
                    still = ~self._filled[slots]            # the others were written before their first value came
                    self.fast.write(slots[still], rows[still])
                    self._filled[slots] = True
        finally:
            with self._lock:
                self._coming[held.slots[held.missing]] = False
                self._news.notify_all()

    def drop(self, held: Held) -> None:
        """The batch was used, or is not wanted any more."""
        with self._lock:
            self._held.remove(held)
            self.cache.unpin(held.ids)
            self._news.notify_all()

    def wake(self) -> None:
        """Let those who wait for room ask again whether to give up."""
        with self._lock:
            self._news.notify_all()

    def _fits(self, ids: np.ndarray) -> bool:
        pinned = np.unique(np.concatenate([ids, *(held.ids for held in self._held)]))
        return len(pinned) <= self.capacity or len(ids) > self.capacity     # the latter is told by `_batch`

    def _slots_of_held(self, ids: np.ndarray) -> np.ndarray | None:
        for held in self._held:
            if np.array_equal(held.ids, ids):
                return held.slots
        return None

    def _wait_for_held(self, ids: np.ndarray, slots: np.ndarray, empty: np.ndarray) -> np.ndarray:
        """Of the places `empty`, those that nobody fetches, after the rows that somebody fetches have come."""
        if self._coming[slots[empty]].any():
            mine = Held(ids, slots, empty[:0])              # none of them may leave while this thread waits
            self.cache.pin(ids[slots >= 0])
            self._held.append(mine)
            while self._coming[slots[empty]].any():
                self._news.wait()
            self.drop(mine)
        return empty[~self._filled[slots[empty]]]
