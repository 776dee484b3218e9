"""What an aggregator holds of a table during one round: the sum of the rack's pushes, and the rows it fetched.

    Sums    worker 0: keys 2 5, worker 1: keys 5 9        ──>  one push of keys 2 5 9, the two rows of 5 added
    Shelf   worker 0 pulls 2 5: fetched; worker 1 pulls 5 9: 9 is fetched, 5 is here

Contiguous keys that came as ranges stay a range: they travel without a list of keys.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .keys import sum_equal


class Sums:
    """Pushes of one round, summed when they are taken: in the order of their workers, then as each worker sent them."""

    def __init__(self):
        self._parts: list[tuple[int, int, range | np.ndarray, np.ndarray]] = []

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, worker: int, number: int, keys: range | np.ndarray, vals: np.ndarray) -> None:
        self._parts.append((worker, number, keys, vals))

    def take(self) -> tuple[range | np.ndarray, np.ndarray]:
        """(distinct keys ascending, sums); empties it."""
        parts, self._parts = sorted(self._parts, key=lambda part: part[:2]), []
        keys, vals = [part[2] for part in parts], [part[3] for part in parts]
        if all(isinstance(each, range) and each == keys[0] for each in keys):
            total = vals[0].copy()
            for other in vals[1:]:
                total += other
            return keys[0], total
        ranges = all(isinstance(each, range) for each in keys)
        joined, sums = sum_equal(np.concatenate([array_of(each) for each in keys]), np.concatenate(vals))
        contiguous = ranges and int(joined[-1]) - int(joined[0]) + 1 == len(joined)
        return (range(int(joined[0]), int(joined[-1]) + 1) if contiguous else joined), sums


class Shelf:
    """Rows of one table that were fetched in this round, (n, dim), by ascending keys."""

    def __init__(self, dim: int):
        self.dim = dim
        self.clear()

    def clear(self) -> None:
        self._keys: range | np.ndarray = np.empty(0, np.int64)
        self._rows = np.empty((0, self.dim), np.float32)

    def take(self, keys: range | np.ndarray, fetch: Callable) -> tuple[np.ndarray, int]:
        """(rows of distinct ascending keys, how many of them had to be fetched); fetch(keys) gives rows."""
        if not len(self._keys):
            self._keys, self._rows = keys, fetch(keys)
            return self._rows, len(keys)
        if isinstance(keys, range) and isinstance(self._keys, range) and keys.start >= self._keys.start \
                and keys.stop <= self._keys.stop:
            first = keys.start - self._keys.start
            return self._rows[first:first + len(keys)], 0
        wanted, here = array_of(keys), array_of(self._keys)
        missing = wanted[~np.isin(wanted, here, assume_unique=True)]
        if missing.size:
            whole = isinstance(keys, range) and int(missing[-1]) - int(missing[0]) + 1 == len(missing)
            rows = fetch(range(int(missing[0]), int(missing[-1]) + 1) if whole else missing)
            at = np.searchsorted(here, missing)
            here, self._rows = np.insert(here, at, missing), np.insert(self._rows, at, rows, axis=0)
            self._keys = here
        return self._rows.take(np.searchsorted(here, wanted), axis=0), len(missing)


def array_of(keys: range | np.ndarray) -> np.ndarray:
    """Keys as (n,) int64."""
    return np.arange(keys.start, keys.stop, dtype=np.int64) if isinstance(keys, range) else keys
