"""Significantly modified: small gradients wait until they add up to something.

    threshold 1      push key 5: 0.4 ──> held 0.4
                     push key 5: 0.3 ──> held 0.7
                     push key 5: 0.5 ──> sent 1.2, held 0          sum sent + held = sum pushed, always

A row is sent when one of its values, with what was held back, reaches the threshold. What is left goes with flush(),
and with goodbye(). So no gradient is lost, but it may come rounds later than it was pushed: BSP and SSP bound the age
of what was *sent*. How much this saves depends on the gradients alone: a row that is held back costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np

from ..growing import Growing
from ..id_index import IdIndex
from .base import Filter


@dataclass(frozen=True)
class SignificantlyModified(Filter):
    """Hold rows of gradients back until the largest |sum| in the row is at least `threshold` (0 holds nothing back)."""

    threshold: float

    def __post_init__(self):
        if isinstance(self.threshold, bool) or not isinstance(self.threshold, Real) \
                or not 0 <= self.threshold < float("inf"):
            raise ValueError(f"threshold={self.threshold!r}; 0 or a finite number above is needed")


class Held:
    """What one table's gradients hold back at a worker: a row of dim float32 values for every key pushed so far."""

    def __init__(self, threshold: float, dim: int):
        self.threshold, self._index, self._rows = threshold, IdIndex(), Growing(dim, np.float32)
        self.saved_rows = 0                                     # rows that were pushed and not sent at once

    def significant(self, keys: np.ndarray | range, vals: np.ndarray) -> tuple[np.ndarray | range, np.ndarray]:
        """Take a push, keys distinct and ascending or a range; gives the part of it that is to be sent."""
        total, at = self._add(keys, vals)
        big = ~(np.abs(total).max(axis=1, initial=0) < self.threshold)          # NaN is sent
        self._rows.all[at] = np.where(big[:, None], 0, total)
        self.saved_rows += int(len(big) - big.sum())
        if big.all():
            return keys, total
        return _array(keys)[big], total[big]

    def take(self, keys: np.ndarray | range, vals: np.ndarray) -> np.ndarray:
        """vals with all that is held back for these keys, which is held no more."""
        total, at = self._add(keys, vals)
        self._rows.all[at] = 0
        return total

    def drop(self, keys: np.ndarray | range) -> None:
        """These rows are set: gradients from before do not count."""
        at = self._index.find(_array(keys))
        self._rows.all[at[at >= 0]] = 0

    def flush(self) -> tuple[np.ndarray, np.ndarray]:
        """All that is held back, and is held no more: (keys (n,) ascending, rows (n, dim))."""
        rows = self._rows.used
        at = np.flatnonzero((rows != 0).any(axis=1))
        keys, held = self._index.keys[at], rows[at]
        rows[at] = 0
        order = np.argsort(keys)
        return keys[order], held[order]

    @property
    def rows(self) -> int:
        """How many rows have something held back."""
        return int((self._rows.used != 0).any(axis=1).sum())

    def _add(self, keys: np.ndarray | range, vals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(held + vals, where the rows of the keys lie here)."""
        keys = _array(keys)
        at = self._index.find(keys)
        new = keys[at < 0]
        if len(new):
            self._index.add(new)
            where = self._rows.extend(len(new))
            self._rows.all[where] = 0
            at = self._index.find(keys)
        return self._rows.all[at] + vals, at


def _array(keys: np.ndarray | range) -> np.ndarray:
    return np.arange(keys.start, keys.stop, dtype=np.int64) if isinstance(keys, range) else keys
