"""Rows as long as their ids are popular: blocks of ids by rank, short rows for the rare ones, stretched to D.

    rank   0 ... 99         block 0   d_0 = D = 16     as they are
           100 ... 999      block 1   d_1 = 8  ── P_1 (8, 16) ──> D
           1000 ... 9999    block 2   d_2 = 2  ── P_2 (2, 16) ──> D        Σ n_i · d_i + Σ d_i · D values

d_i follows the popularity rule d_i = D · (p_i / p_max)^alpha, p_i the mean probability of an id of block i to be asked
for: alpha 0 keeps all at D, alpha 1 is proportional (Ginart et al., "Mixed Dimension Embeddings with Application to
Memory-Efficient Recommendation Systems", 2019: the rule with a temperature alpha).
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np
import torch
from torch import nn

from pslab.ps import Init, Uniform

from ..fused import default_init
from .bag import BagModule, check_whole


class MixedDimension(BagModule):
    """R = sum(block_sizes) ids on blocks of block_sizes[i] rows of dims[i] values, each projected to D.

    counts: (R,) how often each id is asked for; ids are ranked by it, equal ones by id. None: an id is its rank, 0 the
    most popular. A block of dims[i] = D has no projection unless project_all. Rows begin as a plain table's; a
    projection uniformly in ±√(3/d), so that the variance of a row is kept.
    """

    def __init__(self, block_sizes: Sequence[int], dims: Sequence[int], embedding_dim: int, pooling: str = "sum", *,
                 counts=None, project_all: bool = False, seed: int = 0, init: Init | None = None, name: str = "",
                 include_last_offset: bool = False):
        block_sizes, dims = list(block_sizes), list(dims)
        if not block_sizes or len(block_sizes) != len(dims):
            raise ValueError(f"block_sizes={block_sizes} and dims={dims}; one dim for each block, and one block at "
                             f"least, are needed")
        for i, (size, dim) in enumerate(zip(block_sizes, dims)):
            check_whole(f"block_sizes[{i}]", size)
            check_whole(f"dims[{i}]", dim)
        super().__init__(sum(block_sizes), embedding_dim, pooling, include_last_offset)
        if max(dims) > embedding_dim:
            raise ValueError(f"dims={dims} with embedding_dim={embedding_dim}; a block has at most that many columns")
        self.block_sizes, self.dims = tuple(block_sizes), tuple(dims)
        self._first = np.cumsum([0, *block_sizes])
        self.register_buffer("rank", None if counts is None else torch.from_numpy(_ranks(counts, self.num_embeddings)))
        init = default_init(seed) if init is None else init
        self.blocks, self.projections = nn.ParameterList(), nn.ParameterDict()
        for i, (size, dim) in enumerate(zip(block_sizes, dims)):
            self.blocks.append(nn.Parameter(torch.from_numpy(init.rows(range(size), dim, f"{name}/{i}"))))
            if dim < embedding_dim or project_all:
                drawn = Uniform((3 / dim) ** 0.5, seed).rows(range(dim), embedding_dim, f"{name}/projection {i}")
                self.projections[str(i)] = nn.Parameter(torch.from_numpy(drawn))

    @classmethod
    def by_popularity(cls, counts, num_blocks: int, embedding_dim: int, alpha: float, pooling: str = "sum",
                      **options) -> MixedDimension:
        """Blocks of about equal shares of all look-ups (so the popular ones are small), dims by the rule.

        counts: (R,) how often each id is asked for; num_blocks: at most that many, as a block has one id at least.
        """
        counts = _check_counts(counts)
        check_whole("num_blocks", num_blocks)
        falling = np.sort(counts)[::-1]
        edges = np.searchsorted(np.cumsum(falling), counts.sum() * np.arange(1, num_blocks) / num_blocks) + 1
        edges = np.unique([0, *edges[edges < len(counts)], len(counts)])
        popularity = np.add.reduceat(falling, edges[:-1]) / np.diff(edges)
        dims = popularity_dims(popularity, embedding_dim, alpha)
        return cls(np.diff(edges).tolist(), dims, embedding_dim, pooling, counts=counts, **options)

    def _rows(self, ids, counts):
        rank = ids if self.rank is None else self.rank[ids]
        block_of = torch.from_numpy(np.searchsorted(self._first, rank.numpy(), side="right") - 1)
        out, places = [], []
        for i, block in enumerate(self.blocks):
            mine = (block_of == i).nonzero()[:, 0]
            rows = block[rank[mine] - int(self._first[i])]
            out.append(rows @ self.projections[str(i)] if str(i) in self.projections else rows)
            places.append(mine)
        back = torch.empty(len(ids), dtype=torch.int64)
        back[torch.cat(places)] = torch.arange(len(ids))
        return torch.cat(out)[back]

    def index_bytes(self) -> int:
        """Bytes of the rank of every id, 8 each, kept beside the rows where counts were given; not in bytes()."""
        return 0 if self.rank is None else 8 * len(self.rank)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, block_sizes={self.block_sizes}, dims={self.dims}"


def popularity_dims(popularity, embedding_dim: int, alpha: float) -> list[int]:
    """d_i = D · (p_i / p_max)^alpha, rounded to the nearest whole number and at least 1.

    popularity: (blocks,) mean probability or count of an id of each block, 0 or more; alpha: 0..1, the temperature.
    """
    check_whole("embedding_dim", embedding_dim)
    if not isinstance(alpha, Real) or not 0 <= alpha <= 1:
        raise ValueError(f"alpha={alpha!r}; a number from 0 (all dims equal) to 1 (proportional) is needed")
    popularity = _check_counts(popularity, "popularity")
    return [max(1, round(embedding_dim * float(share) ** alpha)) for share in popularity / popularity.max()]


def _check_counts(counts, name: str = "counts") -> np.ndarray:
    counts = np.asarray(counts, np.float64)
    if counts.ndim != 1 or not len(counts) or not np.isfinite(counts).all() or counts.min() < 0 or not counts.any():
        raise ValueError(f"{name} of shape {list(counts.shape)}; one finite number from 0 for each, and not all 0, are "
                         f"needed")
    return counts


def _ranks(counts, num_ids: int) -> np.ndarray:
    """(R,) place of each id in the order of falling counts, equal ones by id."""
    counts = _check_counts(counts)
    if len(counts) != num_ids:
        raise ValueError(f"counts of {len(counts)} ids with blocks of {num_ids} ids in all; they must be equal")
    rank = np.empty(num_ids, np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(num_ids)
    return rank
