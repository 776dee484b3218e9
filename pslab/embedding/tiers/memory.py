"""Rows in this process's memory: the tier that everything else is compared with."""

from __future__ import annotations

import numpy as np

from .layout import ZeroRows
from .store import RowStore

_FILL_BYTES = 1 << 22


class MemoryStore(RowStore):
    """All rows in one array, `all_rows` (R, width). first: what they hold at first, a RowLayout (None: zeros)."""

    def __init__(self, num_rows: int, width: int | None = None, first=None):
        super().__init__(num_rows, first.width if width is None and first is not None else width)
        if first is None:
            self.all_rows = np.zeros((self.num_rows, self.width), np.float32)
            return
        check_width(first, self.width)
        self.all_rows = np.empty((self.num_rows, self.width), np.float32)
        block = max(1, _FILL_BYTES // (4 * self.width))
        for lo in range(0, self.num_rows, block):
            hi = min(lo + block, self.num_rows)
            self.all_rows[lo:hi] = first.rows(range(lo, hi))

    def _read(self, ids, out):
        self.all_rows.take(ids, axis=0, out=out, mode="clip")    # "raise" would copy through a buffer

    def _write(self, ids, rows):
        self.all_rows[ids] = rows


def check_width(first, width: int) -> None:
    """ValueError where first values are of another width than the store."""
    if first.width != width:
        raise ValueError(f"width={width}, but first values are {first.width} wide ({first.text})")


def first_or_zeros(first, width: int | None):
    """(first values, width) of a store's arguments: either may be left out, not both."""
    if first is None:
        return (None if width is None else ZeroRows(width)), width
    if width is not None:
        check_width(first, width)
    return first, first.width
