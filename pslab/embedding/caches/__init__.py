"""Caches of rows: which ids stay when not all fit. One interface (base.py), one policy a module.

    policy      who leaves                                         needs to know
    FIFO        who came first                                     order of arrival
    CLOCK       who was not used since the hand last passed        one bit a row
    LRU         who was not used for the longest time              order of use
    LFU         who was used least often since it came             a count a row
    StaticTopK  nobody                                             the favourites, beforehand
    LookAhead   who is needed last, as far as is known             the coming batches
    Belady      who is needed last                                 the whole stream

Where a cache stands decides what it saves:

    worker ── network ── owner of the rows (server) ── slower store
      │                        │
      cache at the requester   cache at the owner: a hit saves a read of the slower store (host RAM behind a device,
      a hit saves bytes on     disk behind RAM: pslab.embedding.tiers); the network carries the row all the same
      the network, but copies  (0 bytes saved), and the row is never stale, for there is one copy
      can be stale: versions
      or ages (pslab.ps, KVWorker(cache_rows=..., cache_policy=...))
"""

from .base import Batch, Cache, CacheStats
from .belady import Belady
from .clock import CLOCK
from .fifo import FIFO
from .lfu import LFU
from .lookahead import LookAhead
from .lru import LRU
from .reuse import miss_curve, next_use, previous_use, stack_distances
from .static import StaticTopK

__all__ = ["CLOCK", "FIFO", "LFU", "LRU", "Batch", "Belady", "Cache", "CacheStats", "LookAhead", "StaticTopK",
           "miss_curve", "next_use", "previous_use", "stack_distances"]
