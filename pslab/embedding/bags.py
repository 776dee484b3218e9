"""Embedding bags held in this process: the reference for the sharded ones, and the bags of a replicated model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from pslab.ps import Init

from .config import EmbeddingBagConfig, KeyedTensor, bags_of
from .fused import default_init, fuse


class EmbeddingBagCollection(nn.Module):
    """Bags of ids (KeyedJaggedTensor) to pooled rows (KeyedTensor), by torch's embedding_bag.

    tables: each becomes a parameter `tables.<name>.weight` (R, D). init draws the rows, by default uniformly from
    `seed`. sparse: whether gradients are sparse tensors (of the touched rows) or dense ones (of the whole table).
    Features of the input that no table names are not looked at; a missing one is a ValueError.
    """

    def __init__(self, tables: Sequence[EmbeddingBagConfig], seed: int = 0, sparse: bool = False,
                 init: Init | None = None):
        super().__init__()
        init = default_init(seed) if init is None else init
        self.configs, self.sparse = list(tables), sparse
        rows = {table.name: torch.from_numpy(init.rows(fused.keys(table.name), fused.dim, fused.name))
                for fused in fuse(self.configs) for table in fused.tables}
        self.tables = nn.ModuleDict({table.name: _Rows(rows[table.name]) for table in self.configs})

    def forward(self, features) -> KeyedTensor:
        """KeyedJaggedTensor of B rows -> KeyedTensor with values (B, sum of D), features in the order of the tables."""
        keys, pooled = [], []
        for table in self.configs:
            weight = self.tables[table.name].weight
            for feature in table.feature_names:
                bags = bags_of(features, feature, table)
                keys.append(feature)
                pooled.append(F.embedding_bag(bags.values, weight, bags.offsets, mode=table.pooling,
                                              sparse=self.sparse, include_last_offset=True))
        return KeyedTensor(keys, [part.shape[1] for part in pooled], torch.cat(pooled, dim=1))


class _Rows(nn.Module):
    """The rows of one table, so that its parameter is called `<table>.weight`."""

    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight)
