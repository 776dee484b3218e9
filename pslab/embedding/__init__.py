"""Embedding bags: ids in, pooled rows out; held locally or sharded by rows over servers.

    KeyedJaggedTensor ──> EmbeddingBagCollection ──────────> KeyedTensor      rows in this process
                     └──> ShardedEmbeddingBagCollection ──> KeyedTensor      rows on servers, pulled and pushed

Both begin with the same rows and give the same results, so that one can stand in for the other in a model.
"""

from pslab.data import KeyedJaggedTensor

from .bags import EmbeddingBagCollection
from .config import EmbeddingBagConfig, KeyedTensor
from .fused import DEFAULT_INIT_SCALE, FusedTable, fuse, table_configs
from .sharded import ShardedEmbeddingBagCollection

__all__ = ["DEFAULT_INIT_SCALE", "EmbeddingBagCollection", "EmbeddingBagConfig", "FusedTable", "KeyedJaggedTensor",
           "KeyedTensor", "ShardedEmbeddingBagCollection", "fuse", "table_configs"]
