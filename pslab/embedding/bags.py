"""Embedding bags held in this process: the reference for the sharded ones, and the bags of a replicated model.

    EmbeddingBagCollection   bags of ids ──> KeyedTensor (B, sum of D)               rows of a bag joined: sum or mean
    EmbeddingCollection      bags of ids ──> {feature: JaggedTensor of (L, D)}       rows as they are

Their rows are parameters: any optimizer of torch trains them. fused_bags.py has the ones that train themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from pslab.data import JaggedTensor
from pslab.ps import Init

from .config import EmbeddingBagConfig, KeyedTensor, bags_of, check_weighted
from .fused import default_init, fuse
from .named import NamedTables


class EmbeddingBagCollection(nn.Module):
    """Bags of ids (KeyedJaggedTensor) to pooled rows (KeyedTensor), by torch's embedding_bag.

    tables: each becomes a parameter `tables.<name>.weight` (R, D). init draws the rows, by default uniformly from
    `seed`. sparse: whether gradients are sparse tensors (of the touched rows) or dense ones (of the whole table).
    is_weighted: every row of a bag is multiplied by the input's weight of its id, and that weight gets a gradient.
    Features of the input that no table names are not looked at; a missing one is a ValueError.
    """

    def __init__(self, tables: Sequence[EmbeddingBagConfig], seed: int = 0, sparse: bool = False,
                 init: Init | None = None, is_weighted: bool = False):
        super().__init__()
        self.configs, self.sparse = list(tables), sparse
        self.tables = _tables(self.configs, seed, init, pooled=True)
        self.is_weighted = check_weighted(self.configs, is_weighted)

    def forward(self, features) -> KeyedTensor:
        """KeyedJaggedTensor of B rows -> KeyedTensor with values (B, sum of D), features in the order of the tables."""
        keys, pooled = [], []
        for table in self.configs:
            weight = self.tables[table.name].weight
            for feature in table.feature_names:
                bags = bags_of(features, feature, table, self.is_weighted)
                keys.append(feature)
                pooled.append(F.embedding_bag(bags.values, weight, bags.offsets, mode=table.pooling,
                                              sparse=self.sparse, include_last_offset=True,
                                              per_sample_weights=self._weights(bags, weight)))
        return KeyedTensor(keys, [part.shape[1] for part in pooled], torch.cat(pooled, dim=1))

    def _weights(self, bags, weight):
        return bags.weights.to(weight.dtype) if self.is_weighted else None


class EmbeddingCollection(nn.Module):
    """Bags of ids to the rows themselves: {feature: JaggedTensor whose values are (sum of L, D)}.

    tables: with pooling="none"; parameters and rows as in EmbeddingBagCollection. A row for every id, in the
    order of the ids, of equal ids too.
    """

    def __init__(self, tables: Sequence[EmbeddingBagConfig], seed: int = 0, sparse: bool = False,
                 init: Init | None = None):
        super().__init__()
        self.configs, self.sparse = list(tables), sparse
        self.tables = _tables(self.configs, seed, init, pooled=False)

    def forward(self, features) -> dict[str, JaggedTensor]:
        """KeyedJaggedTensor -> {feature: the same bags, of rows}."""
        rows = {}
        for table in self.configs:
            weight = self.tables[table.name].weight
            for feature in table.feature_names:
                bags = bags_of(features, feature, table)
                rows[feature] = bags.with_values(F.embedding(bags.values, weight, sparse=self.sparse))
        return rows


class _Rows(nn.Module):
    """The rows of one table, so that its parameter is called `<table>.weight`."""

    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight)


def _tables(configs: list[EmbeddingBagConfig], seed: int, init: Init | None, pooled: bool) -> NamedTables:
    """{table: its rows}, in the order of the configs; drawn by the keys of the fused tables, as servers draw them."""
    init = default_init(seed) if init is None else init
    rows = {table.name: torch.from_numpy(init.rows(fused.keys(table.name), fused.dim, fused.name))
            for fused in fuse(configs, pooled) for table in fused.tables}
    return NamedTables({table.name: _Rows(rows[table.name]) for table in configs})
