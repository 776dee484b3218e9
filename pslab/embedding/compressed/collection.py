"""Bags over compressed tables, in the place of an EmbeddingBagCollection.

    KeyedJaggedTensor ──┬─ "item" ──> Int8Rows ────────────┐
                        ├─ "user" ──> QuotientRemainder ───┼──> KeyedTensor (B, sum of D)
                        └─ "hour" ──> nn.EmbeddingBag ─────┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..config import EmbeddingBagConfig, KeyedTensor, bags_of, check_tables
from .bag import TrainedByStep


class CompressedBagCollection(nn.Module):
    """tables: the configurations, as of plain tables; modules: {table name: what holds its rows}.

    A module is called as module(ids, offsets) with offsets (B,) and pools as its table's configuration says; every
    table needs one. ValueError where a module is missing, or one has another dimension or pooling than its table.
    """

    def __init__(self, tables: Sequence[EmbeddingBagConfig], modules: Mapping[str, nn.Module]):
        super().__init__()
        self.configs = check_tables(tables)
        names = [table.name for table in self.configs]
        if sorted(modules) != sorted(names):
            raise ValueError(f"modules are for {', '.join(sorted(modules)) or 'no table'}; the tables are "
                             f"{', '.join(sorted(names))}")
        for table in self.configs:
            module = modules[table.name]
            pooling = module.mode if isinstance(module, nn.EmbeddingBag) else module.pooling
            if (pooling, module.embedding_dim) != (table.pooling, table.embedding_dim):
                raise ValueError(f"the module of table {table.name!r} has pooling {pooling!r} and dimension "
                                 f"{module.embedding_dim}; its configuration says {table.pooling!r} and "
                                 f"{table.embedding_dim}")
            if module.include_last_offset:
                raise ValueError(f"the module of table {table.name!r} has include_last_offset; False is needed")
        # With a prefix, as a ModuleDict refuses names of its own methods: "items" is a table that people have.
        self._rows = nn.ModuleDict({f"table_{table.name}": modules[table.name] for table in self.configs})

    @property
    def tables(self) -> dict[str, nn.Module]:
        """{table name: module}."""
        return {table.name: self._rows[f"table_{table.name}"] for table in self.configs}

    def forward(self, features) -> KeyedTensor:
        """KeyedJaggedTensor of B rows -> KeyedTensor with values (B, sum of D), features in the order of the tables."""
        keys, pooled, modules = [], [], self.tables
        for table in self.configs:
            for feature in table.feature_names:
                bags = bags_of(features, feature, table)
                keys.append(feature)
                pooled.append(modules[table.name](bags.values, bags.offsets[:-1]))
        return KeyedTensor(keys, [part.shape[1] for part in pooled], torch.cat(pooled, dim=1))

    def step(self) -> int:
        """step() of every table that has one: rows updated in all. The others' parameters are an optimizer's."""
        return sum(module.step() for module in self.tables.values() if isinstance(module, TrainedByStep))

    def bytes(self) -> int:
        """Bytes of all tables."""
        return sum(_bytes(module) for module in self.tables.values())


def _bytes(module: nn.Module) -> int:
    if isinstance(module, nn.EmbeddingBag):
        return module.weight.numel() * module.weight.element_size()
    return module.bytes()
