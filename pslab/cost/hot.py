"""Hot rows replicated and all-reduced, the tail on servers: from which row on, and what it saves.

    rows, hottest first     0 ─────── H │ H+1 ──────────────────────── R
                            every worker │ servers
    bytes a row and step    2(K−1)·row   │ 2K·P(touch)·(row + key)      all links; the ring carries all

A row is worth a replica where the left is less: P(a worker touches it in a step) > (K−1)/K · row/(row + key); without
keys (K−1)/K. P is 1 − (1 − p)^n after n lookups of one worker: a row is hot by what is left after de-duplication, and a
row that every worker touches in every step saves 1/K of its bytes and its keys, no more. Were every lookup to travel
(no de-duplication), it would cost 2K·n·p·(row + key), and the gain would look many times as large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ports import check_count


@dataclass(frozen=True)
class HotSplit:
    """hot: rows replicated, the hottest `hot` ones. Bytes over all links of one step, expected.

    replicated_bytes: of those rows, through the ring. tail_bytes: of the others, through servers. unsplit_bytes: all
    rows on servers, equal ids once. naive_bytes, naive_unsplit_bytes: the tail, and all, with every lookup travelling.
    """

    hot: int
    threshold: float
    replicated_bytes: float
    tail_bytes: float
    unsplit_bytes: float
    naive_tail_bytes: float
    naive_unsplit_bytes: float

    @property
    def total_bytes(self) -> float:
        return self.replicated_bytes + self.tail_bytes

    @property
    def gain(self) -> float:
        """The share of bytes that the split saves, after de-duplication."""
        return 1 - self.total_bytes / self.unsplit_bytes if self.unsplit_bytes else 0.0

    @property
    def naive_gain(self) -> float:
        """The share that it would save if equal ids did not travel once: the figure that is often told."""
        naive = self.replicated_bytes + self.naive_tail_bytes
        return 1 - naive / self.naive_unsplit_bytes if self.naive_unsplit_bytes else 0.0


def touch_probability(probability, lookups: int) -> np.ndarray:
    """P(a worker touches a row in a step), 1 − (1 − p)^n after n independent lookups, for each p of `probability`."""
    p = np.asarray(probability, np.float64)
    if p.ndim != 1 or not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("probability must hold one number from 0 to 1 for each row, of one row or more")
    return -np.expm1(check_count("lookups", lookups) * np.log1p(-np.minimum(p, 1 - 1e-16)))


def hot_threshold(K: int, row_bytes: int = 0, key_bytes: int = 0) -> float:
    """The P(touch) above which a row is cheaper replicated: (K−1)/K · row/(row + key). Without keys (K−1)/K."""
    if check_count("key_bytes", key_bytes) and not check_count("row_bytes", row_bytes):
        raise ValueError(f"row_bytes=0 with key_bytes={key_bytes}; rows of 1 byte or more are needed")
    share = row_bytes / (row_bytes + key_bytes) if key_bytes else 1.0
    return (check_count("K", K, 1) - 1) / K * share


def hot_split(probability, K: int, lookups: int, row_bytes: int, key_bytes: int = 8,
              hot: int | None = None) -> HotSplit:
    """The split of a table into hot rows and a tail, and its bytes.

    probability (R,): P(a lookup names this row), hottest first, summing to 1 or less. lookups: n of one worker in a
    step. hot: so many rows instead of those above the threshold, for a sweep.
    """
    p = np.asarray(probability, np.float64)
    touch = touch_probability(p, lookups)
    if (np.diff(p) > 0).any():
        raise ValueError("probability must not increase: the hottest row comes first")
    check_count("row_bytes", row_bytes, 1)
    threshold = hot_threshold(K, row_bytes, key_bytes)
    if hot is None:
        hot = int((touch > threshold).sum())
    elif check_count("hot", hot) > len(p):
        raise ValueError(f"hot={hot}; the table has {len(p)} rows")
    sparse = 2 * K * (row_bytes + key_bytes)
    named = lookups * p                                   # lookups of a row, equal ids counted as often as they come
    return HotSplit(hot, threshold, 2.0 * (K - 1) * row_bytes * hot, float(sparse * touch[hot:].sum()),
                    float(sparse * touch.sum()), float(sparse * named[hot:].sum()), float(sparse * named.sum()))


def split_bytes(K: int, hot: int, tail_rows: int, row_bytes: int, key_bytes: int = 8) -> int:
    """Bytes over all links of one step, counted: `tail_rows` distinct tail rows of all workers together. Exact."""
    ring = 2 * (check_count("K", K, 1) - 1) * check_count("hot", hot) * check_count("row_bytes", row_bytes, 1)
    return ring + 2 * check_count("tail_rows", tail_rows) * (row_bytes + check_count("key_bytes", key_bytes))
