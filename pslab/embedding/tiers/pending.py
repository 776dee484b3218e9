"""Rows on their way to the disk: kept until there are enough of them to be written in one batch.

    write 7, 3 ──> slots   | row 7 | row 3 | row 9 |  free ...      in the order in which ids first came
    write 9, 3     ids       3   7   9    ascending
                   places    1   0   2    where the row of each id lies in slots

A row that is written again before its batch leaves takes no more room.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_BLOCK_BYTES = 1 << 18


class Pending:
    """Up to `capacity` rows of `words` 8-byte words each."""

    def __init__(self, capacity: int, words: int, block_bytes: int = _BLOCK_BYTES):
        self.capacity = capacity
        self._slots = np.empty((capacity, words), np.uint64)
        self.ids, self._places = np.empty(0, np.int64), np.empty(0, np.int64)
        self._block = max(1, block_bytes // (8 * words))

    @staticmethod
    def row_bytes(words: int) -> int:
        """RAM for each row of the capacity: its slot, its id and place, and those of the array that follows them."""
        return 8 * words + 32

    @property
    def nbytes(self) -> int:
        """RAM that it takes when it is full, with one block on its way out."""
        return self.capacity * self.row_bytes(self._slots.shape[1]) + self._block * 8 * self._slots.shape[1]

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, ids: np.ndarray) -> np.ndarray:
        """(n,) places of the ids' rows, -1 for those that are not here."""
        if not len(self.ids):
            return np.full(len(ids), -1)
        at = np.searchsorted(self.ids, ids)
        return np.where(self.ids.take(at, mode="clip") == ids, self._places.take(at, mode="clip"), -1)

    def rows(self, places: np.ndarray) -> np.ndarray:
        """(n, words) uint64: a copy."""
        return self._slots[places]

    def replace(self, places: np.ndarray, rows: np.ndarray) -> None:
        """Set rows that are here; rows (n, width) float32."""
        self._slots.view(np.float32)[places, :rows.shape[1]] = rows

    def add(self, ids: np.ndarray, rows: np.ndarray) -> None:
        """Take rows of ids that are not here, and for which there is room."""
        first = len(self.ids)
        self._slots[first:first + len(ids), -2:] = 0                # the padding of an odd width, and the checksum
        self._slots.view(np.float32)[first:first + len(ids), :rows.shape[1]] = rows
        order = np.argsort(ids, kind="stable")
        ids, places = ids[order], first + order
        at = np.searchsorted(self.ids, ids)
        self.ids, self._places = np.insert(self.ids, at, ids), np.insert(self._places, at, places)

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(ids, slots) of all rows, ids ascending, in blocks; the slots are copies."""
        for lo in range(0, len(self.ids), self._block):
            yield self.ids[lo:lo + self._block], self._slots[self._places[lo:lo + self._block]]

    def clear(self) -> None:
        self.ids, self._places = self.ids[:0], self._places[:0]
