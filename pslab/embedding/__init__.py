"""Embedding bags: ids in, pooled rows out; held locally, on servers, or sharded over the ranks of a group.

    KeyedJaggedTensor ──> EmbeddingBagCollection ──────────> KeyedTensor      rows in this process
                     ├──> FusedEmbeddingBagCollection ────> KeyedTensor      the same, stepped inside of backward
                     └──> ShardedEmbeddingBagCollection ──> KeyedTensor      rows on servers, or on the ranks of a group

Both begin with the same rows and give the same results, so that one can stand in for the other in a model.
"""

from pslab.data import JaggedTensor, KeyedJaggedTensor

from .bags import EmbeddingBagCollection, EmbeddingCollection
from .config import EmbeddingBagConfig, KeyedTensor
from .fused import DEFAULT_INIT_SCALE, FusedTable, fuse, table_configs
from .fused_bags import FusedEmbeddingBagCollection
from .row_rules import DenseAdam
from .sharded import ShardedEmbeddingBagCollection
from .sharding import Plan, Sharding, plan_tables

__all__ = ["DEFAULT_INIT_SCALE", "DenseAdam", "EmbeddingBagCollection", "EmbeddingBagConfig", "EmbeddingCollection",
           "FusedEmbeddingBagCollection", "FusedTable", "JaggedTensor", "KeyedJaggedTensor", "KeyedTensor",
           "Plan", "ShardedEmbeddingBagCollection", "Sharding", "fuse", "plan_tables", "table_configs"]
