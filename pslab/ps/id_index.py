"""Where the row of a 64-bit key lies: a hash table in two arrays, looked up for many keys at once.

    key ── mix ──> place p, stride d (odd)     table (2^m,) int32: number of a row, or -1     ids (n,) int64: its key

    find 7:  p ──> row 3, ids[3] = 9: not it ──> p + d ──> row 0, ids[0] = 7 ──> 0
    all keys of a request take their first look together, the few that met another key their second, and so on

At most half of the table is in use, so that a key is found in 1.4 looks on average, one that is not there in 2 (Knuth,
TAOCP 3, 6.4, double hashing). 8 bytes a row for ids and 8 to 16 for the table; nothing is ever removed.
"""

from __future__ import annotations

import numpy as np

from .growing import Growing
from .mixing import GOLDEN, mix64

_BLOCK = 1 << 18            # keys put in at a time where the table is made anew


class IdIndex:
    """Distinct keys (any int64), numbered 0, 1, 2, ... as they are added."""

    def __init__(self):
        self._ids = Growing(0, np.int64)
        self._bits = 10
        self._table = np.full(1 << self._bits, -1, np.int32)

    def __len__(self) -> int:
        return self._ids.size

    @property
    def keys(self) -> np.ndarray:
        """(n,) the key of every row; a view, not to be kept."""
        return self._ids.used

    @property
    def nbytes(self) -> int:
        return self._ids.all.nbytes + self._table.nbytes

    def find(self, keys: np.ndarray) -> np.ndarray:
        """(n,) rows of the keys, -1 for those that are not here; keys (n,) int64."""
        at, mixed = self._first(keys)
        rows = self._table.take(at)
        left = (self._ids.all.take(rows, mode="clip") != keys).nonzero()[0]      # -1 is looked up as 0, and stays -1
        if not left.size:
            return rows
        met = rows[left]
        rows[left] = -1
        left = left[met >= 0]
        mask = np.int64(len(self._table) - 1)
        at, keys, stride = at[left], keys[left], self._stride(mixed[left])
        while left.size:
            at = (at + stride) & mask
            met = self._table.take(at)
            hit = self._ids.all.take(met, mode="clip") == keys
            rows[left[hit]] = met[hit]
            on = ((met >= 0) & ~hit).nonzero()[0]
            left, at, keys, stride = left[on], at[on], keys[on], stride[on]
        return rows

    def add(self, keys: np.ndarray) -> None:
        """Number keys that are not here; (n,) int64, distinct."""
        first = self._ids.size
        self._ids.append(keys)
        if 2 * self._ids.size > len(self._table):
            self._bits = int(2 * self._ids.size - 1).bit_length()
            if self._bits > 32:
                raise OverflowError(f"{self._ids.size:,} keys at one server; at most {2**31 - 1:,}: use more servers")
            self._table = None                                  # the old one first: they are never there together
            self._table = np.full(1 << self._bits, -1, np.int32)
            for first in range(0, self._ids.size, _BLOCK):
                self._put(first, min(first + _BLOCK, self._ids.size))
        else:
            self._put(first, self._ids.size)

    def _put(self, first: int, end: int) -> None:
        keys, rows = self._ids.all[first:end], np.arange(first, end, dtype=np.int32)
        at, mixed = self._first(keys)
        stride, mask = self._stride(mixed), np.int64(len(self._table) - 1)
        while rows.size:
            free = (self._table[at] < 0).nonzero()[0]
            self._table[at[free]] = rows[free]                  # of several at one place, the last stays
            on = (self._table[at] != rows).nonzero()[0]
            at, rows, stride = (at[on] + stride[on]) & mask, rows[on], stride[on]

    def _first(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(first place of each key, its mixed bits): not the bits by which a HashPartition chose this server."""
        mixed = mix64(keys.view(np.uint64) * np.uint64(GOLDEN))
        return (mixed >> np.uint64(64 - self._bits)).view(np.int64), mixed

    def _stride(self, mixed: np.ndarray) -> np.ndarray:
        """Odd, so that every place of the table is come to in the end."""
        return (mixed & np.uint64(len(self._table) - 1) | np.uint64(1)).view(np.int64)
