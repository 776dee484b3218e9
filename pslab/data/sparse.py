"""Labelled rows with few non-zero features, one after the other: the layout of a compressed sparse matrix.

    label   features                 labels   1 0 1              starts   0 2 2 5     row i is starts[i]..starts[i + 1]
    1       3:1  11:0.5              columns  3 11 4 5 11        feature numbers as in the file: from 1
    0       none                     values   1 .5 1 1 2
    1       4:1  5:1  11:2           row 1 has none
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SparseRows:
    """n rows with nnz non-zero values: starts (n + 1,) int64, columns (nnz,) int64, values (nnz,) float32, labels (n,)
    float32 of 0 and 1."""

    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    labels: np.ndarray

    def __post_init__(self):
        if len(self.starts) != len(self.labels) + 1 or self.starts[0] != 0 or self.starts[-1] != len(self.columns):
            raise ValueError(f"starts has {len(self.starts)} entries for {len(self.labels)} rows; "
                             f"{len(self.labels) + 1}, from 0 to {len(self.columns)}, are needed")
        if len(self.columns) != len(self.values):
            raise ValueError(f"columns has {len(self.columns)} entries and values {len(self.values)}; "
                             f"equally many are needed")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice) -> SparseRows:
        """Contiguous rows, without copying their features."""
        first, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"rows={rows}; a slice of step 1 is needed")
        a, b = self.starts[first], self.starts[max(first, stop)]
        return SparseRows(self.starts[first:max(first, stop) + 1] - a, self.columns[a:b], self.values[a:b],
                          self.labels[first:max(first, stop)])

    def batches(self, size: int, rank: int = 0, workers: int = 1) -> Iterator[SparseRows]:
        """Worker `rank`'s part of every global batch of `size` rows, in order (see `share_of`)."""
        _check_shard(size, rank, workers)
        for first in range(0, len(self), size):
            low, high = share_of(min(size, len(self) - first), rank, workers)
            yield self[first + low:first + high]

    @property
    def row_of(self) -> np.ndarray:
        """(nnz,): the row of each value."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


def joined(parts: Sequence[SparseRows]) -> SparseRows:
    """The rows of all parts, in order."""
    if not parts:
        return SparseRows(np.zeros(1, np.int64), np.empty(0, np.int64), np.empty(0, np.float32),
                          np.empty(0, np.float32))
    counts = np.concatenate([np.diff(part.starts) for part in parts])
    return SparseRows(np.concatenate(([0], np.cumsum(counts))), *(
        np.concatenate([getattr(part, name) for part in parts]) for name in ("columns", "values", "labels")))


def share_of(rows: int, rank: int, workers: int) -> tuple[int, int]:
    """(first, end) of worker rank's rows in a batch of `rows`: K pieces as torch.tensor_split cuts them.

    10 rows, 4 workers: 0..2  3..5  6..7  8..9        3 rows, 4 workers: 0  1  2  none
    """
    size, larger = divmod(rows, workers)
    first = rank * size + min(rank, larger)
    return first, first + size + (rank < larger)


def _check_shard(size: int, rank: int, workers: int) -> None:
    for name, value, least in (("size", size, 1), ("workers", workers, 1), ("rank", rank, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name}={value!r}; a whole number from {least} is needed")
    if rank >= workers:
        raise ValueError(f"rank={rank}; with workers={workers} ranks are 0..{workers - 1}")
