"""Which rows are asked for, and how often: a popularity law as a short list, also for two billion rows.

    rows      0   1   2  ...  1,048,575 | 1,048,576 ... 1,050,673 | ...           hottest first
    list      p0  p1  p2 ...  p         | p of each, how many     | ...           ≈ 1,000,000 + 4,000 entries

What a batch touches, what a cache catches and which rows are still fresh are all sums over rows of a function of p
alone, so rows of nearly equal p can share an entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import log

import numpy as np

from .ports import check_count

LISTED = 1 << 20        # rows with an entry of their own
_WIDTH = 1.002          # of an entry behind them: its last row over its first


@dataclass(frozen=True, eq=False)
class Popularity:
    """P(a lookup asks for this row): entry j stands for counts[j] rows of probability[j] each, hottest first."""

    name: str
    probability: np.ndarray
    counts: np.ndarray

    @property
    def rows(self) -> int:
        """R."""
        return int(self.counts.sum())

    @cached_property
    def _cumulative(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and probability up to and including each entry."""
        return np.cumsum(self.counts), np.cumsum(self.probability * self.counts)

    def top_share(self, capacity: float) -> float:
        """P(a lookup asks for one of the `capacity` hottest rows): the hit rate h of a cache that holds just those."""
        _check_capacity(capacity)
        rows, mass = self._cumulative
        return float(min(np.interp(capacity, np.concatenate([[0], rows]), np.concatenate([[0.0], mass])), 1.0))

    def rows_for_share(self, share: float) -> int:
        """The fewest rows that together are asked for in a share of `share` of the lookups."""
        if not 0 <= share <= 1:
            raise ValueError(f"share={share!r}; a share from 0 to 1 is needed")
        rows, mass = self._cumulative
        if share >= mass[-1]:
            return self.rows
        return int(np.ceil(np.interp(share, np.concatenate([[0.0], mass]), np.concatenate([[0], rows])) - 1e-6))

    def touched(self, lookups: float) -> np.ndarray:
        """Per entry, P(a row is asked for at least once in `lookups` independent draws): 1 − (1 − p)^n."""
        p = np.minimum(self.probability, 1 - 1e-16)
        return -np.expm1(lookups * np.log1p(-p))

    def expected_unique(self, lookups: float) -> float:
        """Distinct rows in `lookups` independent draws, expected: Σ 1 − (1 − p)^n."""
        if not lookups >= 0:
            raise ValueError(f"lookups={lookups!r}; a number from 0 is needed")
        return float(self.counts @ self.touched(lookups))

    def in_top(self, capacity: float) -> np.ndarray:
        """Per entry, the share of its rows that are among the `capacity` hottest."""
        _check_capacity(capacity)
        first = self._cumulative[0] - self.counts
        return np.clip((capacity - first) / self.counts, 0, 1)

    def __repr__(self) -> str:
        return f"Popularity({self.name}, {self.rows:,} rows)"


@lru_cache(maxsize=64)
def zipf_popularity(exponent: float, rows: int, listed: int = LISTED) -> Popularity:
    """P(r) = (r + 1)^-a / Σ_{k=1..R} k^-a for r = 0..R-1; a = 0 is uniform.

    The first `listed` rows one by one; behind them sums are integrals of x^-a from half to half, relative error below
    10⁻¹² with 2^20. Fewer are faster: with 2^14 sums over rows are still right to five digits.
    """
    if not 0 <= exponent < float("inf"):
        raise ValueError(f"exponent={exponent!r}; a finite number from 0 is needed")
    check_count("rows", rows, 1)
    listed = min(rows, check_count("listed", listed, 1))
    head = np.arange(1, listed + 1, dtype=np.float64) ** -exponent
    edges = [listed]
    while edges[-1] < rows:
        edges.append(min(max(int(edges[-1] * _WIDTH), edges[-1] + 1), rows))
    edges = np.array(edges, np.int64)
    counts = np.diff(edges)
    mass = np.array([_integral(low + 0.5, high + 0.5, exponent) for low, high in zip(edges, edges[1:])])
    weights = np.concatenate([head, mass / np.maximum(counts, 1)])
    counts = np.concatenate([np.ones(listed, np.int64), counts])
    return Popularity(f"Zipf({exponent:g})", weights / (head.sum() + mass.sum()), counts)


@lru_cache(maxsize=8)
def chapter_popularity(rows: int = 2_000_000_000, head: int = 5000, exponent: float = 1.1,
                       share: float = 0.85) -> Popularity:
    """What code 11.7.1 draws: `share` of the lookups from a Zipf over the first `head` rows, the others evenly from the
    rest. So a cache of `head` rows hits `share` of them, whatever the exponent: it is a coin, and no property of Zipf.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share={share!r}; a share from 0 to 1 is needed")
    if not 1 <= head < rows:
        raise ValueError(f"head={head}; 1 to rows-1={rows - 1} is needed")
    weights = np.arange(1, head + 1, dtype=np.float64) ** -exponent
    hot = share * weights / weights.sum()
    return Popularity(f"the chapter's ({share:.0%} from a Zipf({exponent:g}) over {head:,})",
                      np.append(hot, (1 - share) / (rows - head)), np.append(np.ones(head, np.int64), rows - head))


def popularity_of(ids, rows: int | None = None, name: str = "counted") -> Popularity:
    """The popularity that a stream shows: how often each id stands in `ids` (n,). rows: R; None: the distinct ones."""
    counts = np.unique(np.asarray(ids), return_counts=True)[1]
    if not len(counts):
        raise ValueError("ids is empty; at least one lookup is needed")
    if rows is not None and rows < len(counts):
        raise ValueError(f"rows={rows}; ids holds {len(counts)} distinct ones")
    often, how_many = np.unique(counts, return_counts=True)
    often, how_many = often[::-1].astype(np.float64), how_many[::-1]
    if rows is not None and rows > len(counts):
        often, how_many = np.append(often, 0.0), np.append(how_many, rows - len(counts))
    return Popularity(name, often / counts.sum(), how_many)


def lru_memory(popularity: Popularity, capacity: float, lookups: float = 1) -> float:
    """T of Che's approximation: an LRU cache of `capacity` rows holds what was asked for in the last T batches.

    T solves Σ 1 − (1 − q)^T = capacity, with q = 1 − (1 − p)^n for batches of n = `lookups` draws (Che, Tung and Wang
    2002, for lookups one by one). Infinite where the cache has room for all rows that are ever asked for.
    """
    _check_capacity(capacity)
    asked = float(popularity.counts[popularity.probability > 0].sum())
    if capacity >= asked:
        return float("inf")
    low, high = 0.0, 1.0
    while popularity.expected_unique(high * lookups) < capacity:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if popularity.expected_unique(middle * lookups) < capacity else (low, middle)
    return high


def cache_hit_rate(popularity: Popularity, capacity: float, policy: str = "top-k") -> float:
    """Share of lookups, one by one and for ever, that a warm cache of `capacity` rows answers.

    "top-k": the hottest rows, held for good; what LFU comes to. "lru": Σ p (1 − (1 − p)^T), Che's approximation.
    """
    if policy == "top-k":
        return popularity.top_share(capacity)
    if policy != "lru":
        raise ValueError(f"policy={policy!r}; allowed: 'top-k', 'lru'")
    memory = lru_memory(popularity, capacity)
    if memory == float("inf"):
        return 1.0
    return float((popularity.counts * popularity.probability) @ popularity.touched(memory))


def _integral(low: float, high: float, a: float) -> float:
    return log(high / low) if a == 1 else (high ** (1 - a) - low ** (1 - a)) / (1 - a)


def _check_capacity(capacity) -> None:
    if isinstance(capacity, bool) or not capacity >= 0:
        raise ValueError(f"capacity={capacity!r}; a number of rows from 0 is needed")
