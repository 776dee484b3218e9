"""The hashing trick: R ids on m rows, without a vocabulary.

    id ── stable_hash(seed) ──> row 0..m-1        id ── another hash ──> sign ±1 (optional)
    7  ─────────────────────────> row 3 ─ ×(+1)
    12 ─────────────────────────> row 3 ─ ×(-1)   12 and 7 collide: what one learns, the other has to live with

m · D values whatever R is. Of R ids at random on m rows, m · (1 - (1 - 1/m)^R) rows are in use on average; the sign
makes the product of two rows that collide cancel on average (Weinberger et al., "Feature Hashing for Large Scale
Multitask Learning", ICML 2009). The hash is arithmetic on 64-bit numbers alone: the same on every machine, for good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pslab.ps import Init

from ..fused import default_init
from .bag import BagModule, check_ids, check_whole
from .rounding import check_seed

_GOLDEN = 0x9E3779B97F4A7C15        # 2^64 / golden ratio, odd: multiples of it spread evenly
_SIGN = 0x5BD1E995                  # so that the sign is drawn from other numbers than the row
_BLOCK = 1 << 20                    # ids hashed at a time where all are counted


class HashedEmbedding(BagModule):
    """R ids on num_rows = m rows of D values.

    num_embeddings: R, or None for any int64 ids. signed: whether rows are multiplied by ±1, drawn from the id.
    seed: of the hash; init_seed (default: seed) and init: of the rows, by default uniform as a plain table's.
    """

    def __init__(self, num_embeddings: int | None, embedding_dim: int, num_rows: int, pooling: str = "sum", *,
                 signed: bool = False, seed: int = 0, init_seed: int | None = None, init: Init | None = None,
                 name: str = "", include_last_offset: bool = False):
        super().__init__(num_embeddings, embedding_dim, pooling, include_last_offset)
        check_whole("num_rows", num_rows)
        check_whole("seed", seed, 0)
        self.num_rows, self.signed, self.seed = num_rows, bool(signed), seed
        init = default_init(check_seed(seed if init_seed is None else init_seed)) if init is None else init
        self.weight = nn.Parameter(torch.from_numpy(init.rows(range(num_rows), embedding_dim, name)))

    def rows_of(self, ids) -> torch.Tensor:
        """(n,) the row of each id."""
        return torch.from_numpy(_rows_of(np.asarray(ids), self.num_rows, self.seed))

    def signs_of(self, ids) -> torch.Tensor:
        """(n,) +1 or -1 for each id; all +1 where signed is False."""
        if not self.signed:
            return torch.ones(len(ids), dtype=self.weight.dtype)
        top = stable_hash(np.asarray(ids), self.seed ^ _SIGN) >> np.uint64(63)
        return torch.from_numpy(1.0 - 2.0 * top.astype(np.float64)).to(self.weight.dtype)

    def _rows(self, ids, counts):
        rows = self.weight[self.rows_of(ids)]
        return rows * self.signs_of(ids)[:, None] if self.signed else rows

    def collisions(self, ids=None) -> Collisions:
        """Of the distinct ones among ids, or of all R ids."""
        if ids is None and self.num_embeddings is None:
            raise ValueError("ids=None: this table takes any id (num_embeddings=None), say which ids to count")
        return collisions(self.num_embeddings if ids is None else ids, self.num_rows, self.seed)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, num_rows={self.num_rows}, signed={self.signed}, seed={self.seed}"


@dataclass(frozen=True)
class Collisions:
    """What hashing did to `ids` distinct ids on `rows` rows.

    rows_used: rows with at least one id. sharing: ids that share their row with another. largest: ids on the fullest
    row.
    """

    ids: int
    rows: int
    rows_used: int
    sharing: int
    largest: int


def collisions(ids, num_rows: int, seed: int = 0) -> Collisions:
    """ids: how many (0..R-1), or which, each counted once; num_rows: m."""
    check_whole("num_rows", num_rows)
    load = np.zeros(num_rows, np.int64)
    if isinstance(ids, (int, np.integer)) and not isinstance(ids, bool):
        total = int(ids)
        check_whole("ids", total)
        for first in range(0, total, _BLOCK):
            part = np.arange(first, min(first + _BLOCK, total))
            load += np.bincount(_rows_of(part, num_rows, seed), minlength=num_rows)
    else:
        check_ids(torch.as_tensor(ids), None)
        distinct = np.unique(np.asarray(ids))
        total = len(distinct)
        load += np.bincount(_rows_of(distinct, num_rows, seed), minlength=num_rows)
    return Collisions(total, num_rows, int((load > 0).sum()), int(load[load > 1].sum()), int(load.max()))


def expected_rows_used(ids: int, num_rows: int) -> float:
    """m · (1 - (1 - 1/m)^R): rows in use on average, if every id takes any row with the same probability."""
    return -num_rows * float(np.expm1(ids * np.log1p(-1 / num_rows))) if num_rows > 1 else float(ids > 0)


def stable_hash(ids, seed: int = 0) -> np.ndarray:
    """(n,) uint64 of (n,) int64: the finaliser of SplitMix64 (Steele, Lea, Flood 2014) over id and seed, one to one."""
    check_whole("seed", seed, 0)
    with np.errstate(over="ignore"):
        start = _mix(np.array([seed], np.uint64) * np.uint64(_GOLDEN) + np.uint64(1))
        return _mix(np.asarray(ids).astype(np.int64).view(np.uint64) * np.uint64(_GOLDEN) + start)


def _rows_of(ids: np.ndarray, num_rows: int, seed: int) -> np.ndarray:
    return (stable_hash(ids, seed) % np.uint64(num_rows)).view(np.int64)


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
