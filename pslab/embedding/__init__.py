"""Embedding bags: ids in, pooled rows out; held locally, on servers, or sharded over the ranks of a group.

    KeyedJaggedTensor ──> EmbeddingBagCollection ──────────> KeyedTensor      rows in this process
                     ├──> FusedEmbeddingBagCollection ────> KeyedTensor      the same, stepped inside of backward
                     └──> ShardedEmbeddingBagCollection ──> KeyedTensor      rows on servers, or on the ranks of a group

All begin with the same rows and give the same results, so that one can stand in for the other in a model.
"""

from pslab.data import JaggedTensor, KeyedJaggedTensor

from .bags import EmbeddingBagCollection, EmbeddingCollection
from .caches import (
    CLOCK,
    FIFO,
    LFU,
    LRU,
    Belady,
    Cache,
    CacheStats,
    LookAhead,
    StaticTopK,
    miss_curve,
    stack_distances,
)
from .compressed import (
    CompressedBagCollection,
    HashedEmbedding,
    Int4Rows,
    Int8Rows,
    MixedDimension,
    QuotientRemainder,
    Stochastic,
    collisions,
    expected_rows_used,
    int4,
    int8,
    popularity_dims,
    stable_hash,
)
from .config import EmbeddingBagConfig, KeyedTensor
from .fused import DEFAULT_INIT_SCALE, FusedTable, fuse, table_configs
from .fused_bags import FusedEmbeddingBagCollection
from .growing import GrowingTable
from .growing_bag import GrowingBag
from .growing_sights import CountMin, ExactSights
from .measured import MeasuredStep, Scale, measure_step, measured_designs
from .measured_exchange import RowExchange
from .row_rules import DenseAdam
from .sharded import ShardedEmbeddingBagCollection
from .sharding import Plan, Sharding, merge_shards, plan_tables
from .tiers import (
    DeviceStore,
    DiskStore,
    MemoryStore,
    Prefetcher,
    RemoteStore,
    RowLayout,
    RowStore,
    ServerStore,
    Storage,
    TieredEmbeddingBagCollection,
    TieredStore,
    TieredTable,
    serve_rows,
)

__all__ = ["CLOCK", "DEFAULT_INIT_SCALE", "FIFO", "LFU", "LRU", "Belady", "Cache", "CacheStats",
           "CompressedBagCollection", "CountMin", "DenseAdam", "DeviceStore", "DiskStore", "EmbeddingBagCollection",
           "EmbeddingBagConfig", "EmbeddingCollection", "ExactSights", "FusedEmbeddingBagCollection", "FusedTable",
           "GrowingBag", "GrowingTable", "HashedEmbedding", "Int4Rows", "Int8Rows", "JaggedTensor", "KeyedJaggedTensor",
           "KeyedTensor", "LookAhead", "MeasuredStep", "MemoryStore", "MixedDimension", "Plan", "Prefetcher",
           "QuotientRemainder", "RemoteStore", "RowExchange", "RowLayout", "RowStore", "Scale", "ServerStore",
           "ShardedEmbeddingBagCollection", "Sharding", "StaticTopK", "Stochastic", "Storage",
           "TieredEmbeddingBagCollection", "TieredStore", "TieredTable", "collisions", "expected_rows_used", "fuse",
           "int4", "int8", "measure_step", "measured_designs", "merge_shards", "miss_curve", "plan_tables",
           "popularity_dims", "serve_rows", "stable_hash", "stack_distances", "table_configs"]
