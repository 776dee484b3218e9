"""Tiers: a table of rows larger than memory, in a file or elsewhere, with the rows in use in fast memory.

    layout = RowLayout(dim=64, rule=AdaGrad(0.05), init=Uniform(0.05), table="item")
    disk = DiskStore("item.rows", num_rows=100_000_000, first=layout)
    with TieredTable(TieredStore(disk, budget_bytes=2 << 30), layout) as table:
        rows = table.lookup(ids)                    # (L, 64)
        table.update(ids, gradients)
        table.flush()                               # from here on a kill costs nothing

Read on: store.py (what every tier can do), disk.py (what a kill leaves), tiered.py (a cache over a slower store),
prefetch.py (rows of coming batches).
"""

from .bags import TieredEmbeddingBagCollection
from .device import DeviceStore
from .disk import DiskStore
from .layout import RowLayout
from .memory import MemoryStore
from .prefetch import Prefetcher
from .remote import RemoteStore, ServerStore, serve_rows
from .storage import Storage
from .store import RowStore
from .table import TieredTable
from .tiered import TieredStore

__all__ = ["DeviceStore", "DiskStore", "MemoryStore", "Prefetcher", "RemoteStore", "RowLayout", "RowStore",
           "ServerStore", "Storage", "TieredEmbeddingBagCollection", "TieredStore", "TieredTable", "serve_rows"]
