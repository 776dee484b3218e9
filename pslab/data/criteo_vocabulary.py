"""Criteo's categorical values as rows of tables, by how often they occur: a row of its own for what is frequent enough.

    column 1, min_count 2        value      seen         row        0         no value
                                 68fd1e64   7 times      2          1         seldom, or never seen
                                 05db9164   5 times      3          2, 3, …   by falling count, of equals the smaller
                                 be589b51   once         1                    value first

Built in one pass over the files. Memory is that of the distinct values, 12 bytes each, and of one chunk of rows; with
most_values it is bounded, and counts may then be too small by what `missed` says of the column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pslab.data.criteo import CATEGORICALS, CriteoReader, values_of
from pslab.data.folders import DataError

CHUNK_ROWS = 65_536


class CriteoVocabulary:
    """Rows by value. Make one with `build`, or `load` one that was saved.

    values    26 arrays (n,) uint32, ascending; rows: 26 arrays (n,) int64, the row of each. table_rows: 26 numbers, R
    missed    by column: a value may have been seen so many times more than was counted (0: counts are exact)
    """

    def __init__(self, values: list[np.ndarray], rows: list[np.ndarray], missed: list[int] | None = None):
        self.values, self.rows = values, rows
        self.table_rows = [2 + len(own) for own in values]
        self.missed = [0] * CATEGORICALS if missed is None else missed

    @classmethod
    def build(cls, reader: CriteoReader, min_count: int = 1, *, max_rows: int | None = None,
              most_values: int | None = None, rows: int | None = None) -> CriteoVocabulary:
        """From one pass over a reader's files.

        min_count     a value has a row of its own when it was seen so often
        max_rows      of a table at most, the two shared rows among them: then the most frequent values have theirs
        most_values   kept of a column while counting; more are thinned to half of that, the least frequent first. A
                      value that was seen min_count + missed times or more has its row all the same (lossy counting:
                      Manku and Motwani, VLDB 2002)
        rows          only the first so many
        """
        for name, value, least in (("min_count", min_count, 1), ("max_rows", max_rows, 2),
                                   ("most_values", most_values, 2), ("rows", rows, 1)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ValueError(f"{name}={value!r}; a whole number from {least} is needed")
        counts = [_Counts(most_values) for _ in range(CATEGORICALS)]
        reader.start_pass()
        chunk: list[list[bytes]] = []
        for line, _ in reader.lines():
            chunk.append(line.split(b"\t"))
            if len(chunk) == CHUNK_ROWS or reader.rows == rows:
                _count(counts, chunk)
                chunk = []
            if reader.rows == rows:
                break
        _count(counts, chunk)
        chosen = [own.chosen(min_count, None if max_rows is None else max_rows - 2) for own in counts]
        return cls([values for values, _ in chosen], [place for _, place in chosen], [own.missed for own in counts])

    def rows_of(self, values: np.ndarray, column: int) -> np.ndarray:
        """Rows of values (n,) int64 of column 1..26, -1 where there is none: (n,) int64."""
        known, rows = self.values[column - 1], self.rows[column - 1]
        if not len(known):
            return np.where(values < 0, 0, 1)
        at = np.minimum(np.searchsorted(known, values), len(known) - 1)
        return np.where(values < 0, 0, np.where(known[at] == values, rows[at], 1))

    def save(self, file: str | Path) -> None:
        """Write it to `file`, an .npz."""
        arrays = {f"values{c}": values for c, values in enumerate(self.values)}
        arrays |= {f"rows{c}": rows for c, rows in enumerate(self.rows)}
        with open(file, "wb") as out:
            np.savez_compressed(out, missed=np.array(self.missed), **arrays)

    @classmethod
    def load(cls, file: str | Path) -> CriteoVocabulary:
        """What `save` wrote; DataError for another file."""
        try:
            with np.load(file, allow_pickle=False) as held:
                return cls([held[f"values{c}"] for c in range(CATEGORICALS)],
                           [held[f"rows{c}"] for c in range(CATEGORICALS)], held["missed"].tolist())
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise DataError(f"{file} is no vocabulary that CriteoVocabulary.save wrote: {error}") from None


class _Counts:
    """Values of one column, ascending, and how often each was seen."""

    def __init__(self, most: int | None):
        self.values, self.counts = np.empty(0, np.uint32), np.empty(0, np.int64)
        self.most, self.missed = most, 0

    def add(self, values: np.ndarray) -> None:
        new, seen = np.unique(values[values >= 0].astype(np.uint32), return_counts=True)
        merged, which = np.unique(np.concatenate([self.values, new]), return_inverse=True)
        counts = np.bincount(which, np.concatenate([self.counts, seen]), len(merged)).astype(np.int64)
        self.values, self.counts = merged, counts
        if self.most is not None and len(merged) > self.most:
            kept = np.sort(np.argsort(-counts, kind="stable")[:max(1, self.most // 2)])
            dropped = np.delete(counts, kept)
            self.missed += int(dropped.max())
            self.values, self.counts = merged[kept], counts[kept]

    def chosen(self, min_count: int, most: int | None) -> tuple[np.ndarray, np.ndarray]:
        """(values ascending, their rows)."""
        often = self.counts >= min_count
        values, counts = self.values[often], self.counts[often]
        order = np.argsort(-counts, kind="stable")[:most]      # of equal counts the smaller value first
        rows = np.arange(2, 2 + len(order))
        by_value = np.argsort(values[order])
        return values[order][by_value], rows[by_value]


def _count(counts: list[_Counts], chunk: list[list[bytes]]) -> None:
    if chunk:
        for own, values in zip(counts, values_of(chunk).T):
            own.add(values)
