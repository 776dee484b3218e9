"""Embedding bags whose rows live on servers.

    forward    ids ──unique──> keys ──pull──> servers ──> rows (n, D) ──pool here──> (B, D) per feature
                  └─ inverse: which of the n rows each of the L lookups means ──┘
    backward   (B, D) per feature ──sum over the lookups of a row──> gradients (n, D) ──push──> servers

What travels is one key and one row per *distinct* id, whatever the batch repeats: 8 n bytes of keys and 4 D n of
values for a pull, and the same for a push. Tables of one dimension are fused: one pull and one push per server a step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pslab.ps import KVWorker

from .config import EmbeddingBagConfig, KeyedTensor, bags_of
from .fused import FusedTable, fuse


class ShardedEmbeddingBagCollection(nn.Module):
    """As EmbeddingBagCollection, with rows pulled from servers in forward and gradients pushed to them in backward.

    backend: a KVWorker that knows the fused tables (`table_configs(tables, rule)`), as its servers do. The module has
    no parameters: rows are updated by the servers' rule. Gradients are pushed as they are; a worker that wants them
    weighted (local over global batch) weights its loss. Every `backward` pushes once, `clock()` is the caller's.
    Features of the input that no table names are not looked at; a missing one is a ValueError.
    """

    def __init__(self, tables: Sequence[EmbeddingBagConfig], backend: KVWorker):
        super().__init__()
        self.configs, self.fused, self.backend = list(tables), fuse(tables), backend
        self._feature_dims = [(feature, table.embedding_dim) for table in self.configs
                              for feature in table.feature_names]

    def forward(self, features) -> KeyedTensor:
        """KeyedJaggedTensor of B rows -> KeyedTensor with values (B, sum of D), features in the order of the tables."""
        lookups = [_Lookup(fused, features) for fused in self.fused]
        # Ask for all dimensions first, then wait: their ways to the servers overlap.
        pulls = [self.backend.pull(lookup.keys, table=lookup.table) for lookup in lookups]
        pooled: dict[str, torch.Tensor] = {}
        for lookup, pull in zip(lookups, pulls):
            rows = self.backend.wait(pull)
            anchor = torch.zeros(0, requires_grad=True)    # rows are no parameter: this makes autograd call back
            bags = _PullPool.apply(anchor, rows, lookup, self.backend)
            if lookup.divisor is not None:
                bags = bags / lookup.divisor
            pooled.update(zip(lookup.features, bags.view(len(lookup.features), -1, lookup.dim)))
        dims = [dim for _, dim in self._feature_dims]
        names = [feature for feature, _ in self._feature_dims]
        return KeyedTensor(names, dims, torch.cat([pooled[name] for name in names], dim=1))

    def rows(self, table: str) -> torch.Tensor:
        """All rows of one table, pulled: (R, D)."""
        for fused in self.fused:
            if table in [part.name for part in fused.tables]:
                return self.backend.wait(self.backend.pull(fused.keys(table), table=fused.name)).clone()
        raise ValueError(f"table={table!r}; there are {', '.join(config.name for config in self.configs)}")


class _Lookup:
    """The lookups of one fused table in one batch, over all its features.

    keys (n,) int64: distinct, ascending. inverse (L,): which of them each lookup means. offsets (F·B + 1,): the bags,
    feature-major. divisor (F·B, 1): ids per bag where pooling is the mean and 1 elsewhere; None when all bags are sums.
    """

    def __init__(self, fused: FusedTable, features):
        self.table, self.dim, self.features = fused.name, fused.dim, []
        ids, lengths, is_mean = [], [], []
        for table, first in zip(fused.tables, fused.first_key):
            for feature in table.feature_names:
                bags = bags_of(features, feature, table)
                self.features.append(feature)
                ids.append(bags.values.numpy() + first)
                lengths.append(bags.lengths.numpy())
                is_mean.append(table.pooling == "mean")
        self.keys, inverse = np.unique(np.concatenate(ids), return_inverse=True)
        self.inverse = torch.from_numpy(inverse.reshape(-1))
        self.lengths = np.concatenate(lengths)
        offsets = np.zeros(len(self.lengths) + 1, np.int64)
        np.cumsum(self.lengths, out=offsets[1:])
        self.offsets = torch.from_numpy(offsets)
        self.divisor = None
        if any(is_mean):
            counts = np.where(np.repeat(is_mean, len(lengths[0])), np.maximum(self.lengths, 1), 1)
            self.divisor = torch.from_numpy(counts.astype(np.float32)).unsqueeze(1)


class _PullPool(torch.autograd.Function):
    """Forward: sums of pulled rows by bag, (F·B, D). Backward: gradients summed over equal keys, pushed."""

    @staticmethod
    def forward(ctx, anchor, rows, lookup, backend):
        ctx.lookup, ctx.backend = lookup, backend
        return F.embedding_bag(lookup.inverse, rows, lookup.offsets, mode="sum", include_last_offset=True)

    @staticmethod
    def backward(ctx, grad_bags):
        lookup = ctx.lookup
        bag_of_lookup = torch.from_numpy(np.repeat(np.arange(len(lookup.lengths)), lookup.lengths))
        grads = torch.zeros(len(lookup.keys), lookup.dim)
        grads.index_add_(0, lookup.inverse, grad_bags.index_select(0, bag_of_lookup))
        ctx.backend.push(lookup.keys, grads, table=lookup.table)
        return torch.zeros(0), None, None, None
