"""The ways to keep an embedding table, as one list: name -> module of R ids and D columns, called as an EmbeddingBag.

All of them are trained with AdaGrad of the same rate: the tables of numbers by torch's, the packed and growing ones,
which torch's optimizers cannot reach, by the rule of pslab.ps, which is the same arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pslab.embedding import (
    DEFAULT_INIT_SCALE,
    GrowingBag,
    GrowingTable,
    HashedEmbedding,
    Int4Rows,
    Int8Rows,
    MixedDimension,
    QuotientRemainder,
)
from pslab.ps import AdaGrad, Uniform


@dataclass(frozen=True)
class TableSpec:
    """R = rows ids of D = dim columns; counts (R,): how often each id is in the training part."""

    rows: int
    dim: int
    pooling: str
    counts: np.ndarray
    lr: float
    seed: int


def plain_table(spec: TableSpec) -> nn.Module:
    """The table that the others are held against: float32, a row an id."""
    rows = Uniform(DEFAULT_INIT_SCALE, spec.seed).rows(range(spec.rows), spec.dim)
    return nn.EmbeddingBag.from_pretrained(torch.from_numpy(rows), freeze=False, mode=spec.pooling)


def _share(rows: int, part: int) -> int:
    return max(1, -(-rows // part))


def _packed(kind: type, rounding: str):
    def make(spec: TableSpec) -> nn.Module:
        return kind(spec.rows, spec.dim, spec.pooling, rule=AdaGrad(spec.lr), rounding=rounding, seed=spec.seed)
    return make


def _hashed(spec: TableSpec, signed: bool = False) -> nn.Module:
    return HashedEmbedding(spec.rows, spec.dim, _share(spec.rows, 4), spec.pooling, signed=signed,
                                      seed=spec.seed)


def _quotient_remainder(op: str):
    def make(spec: TableSpec) -> nn.Module:
        return QuotientRemainder(spec.rows, spec.dim, _share(spec.rows, 4), op, spec.pooling, seed=spec.seed)
    return make


def _mixed(alpha: float):
    def make(spec: TableSpec) -> nn.Module:
        return MixedDimension.by_popularity(spec.counts, 4, spec.dim, alpha, spec.pooling, seed=spec.seed)
    return make


def _growing(default: str):
    def make(spec: TableSpec) -> nn.Module:
        table = GrowingTable(spec.dim, _share(spec.rows, 4), admit_after=5, evict="frequency", default=default,
                                     rule=AdaGrad(spec.lr), seed=spec.seed)
        return GrowingBag(table, spec.pooling)
    return make


VARIANTS: dict[str, Callable[[TableSpec], nn.Module]] = {
    "int8, stochastic": _packed(Int8Rows, "stochastic"),
    "int8, nearest": _packed(Int8Rows, "nearest"),
    "int4, stochastic": _packed(Int4Rows, "stochastic"),
    "int4, nearest": _packed(Int4Rows, "nearest"),
    "hashed, R/4 rows": _hashed,
    "hashed with signs, R/4 rows": lambda spec: _hashed(spec, signed=True),
    "quotient + remainder, m = R/4": _quotient_remainder("sum"),
    "quotient · remainder, m = R/4": _quotient_remainder("product"),
    "quotient | remainder, m = R/4": _quotient_remainder("concat"),
    "mixed dimensions, alpha 0.3": _mixed(0.3),
    "mixed dimensions, alpha 0.6": _mixed(0.6),
    "growing, R/4 rows, rare ids share one": _growing("learned"),
}
