"""What a table of pslab.ps is given as `storage`, so that its servers keep rows in tiers and not in memory.

    TableConfig("item", 64, 100_000_000, AdaGrad(0.05), init=Uniform(0.05), storage=Storage("rows", 2 << 30))

    server 0: rows/item.0 and at most 2 GB of RAM       server 1: rows/item.1 and at most 2 GB of RAM
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .disk import DiskStore
from .layout import RowLayout
from .tiered import TieredStore

_WRITE_BACK_SHARE = 16      # of the budget, one part is for rows on their way to the disk


@dataclass(frozen=True)
class Storage:
    """Rows of a server's tables in files of `folder`, those in use in RAM, budget_bytes for each table and server."""

    folder: str | Path
    budget_bytes: int

    def __call__(self, table, owned: range | np.ndarray, index: int) -> TieredStore:
        """The store of server `index`'s rows of `table`, a TableConfig; row i is key owned[i]."""
        layout = OwnedRows(RowLayout(table.dim, table.rule, table.init, table.name), owned)
        if not os.path.isdir(self.folder):
            raise ValueError(f"folder={os.fspath(self.folder)!r}; there is no such folder (rows of table "
                             f"{table.name!r})")
        return on_disk(os.path.join(self.folder, f"{table.name}.{index}"), len(owned), layout, self.budget_bytes)


def on_disk(path: str | Path, num_rows: int, layout, budget_bytes: int) -> TieredStore:
    """A file of rows with at most budget_bytes of RAM in front of it."""
    disk = DiskStore(path, num_rows, first=layout, write_back_bytes=max(1, min(4 << 20,
                                                                               budget_bytes // _WRITE_BACK_SHARE)))
    try:
        return TieredStore(disk, budget_bytes)
    except BaseException:
        disk.close()
        raise


class OwnedRows:
    """First values by place: row i is that of key owned[i]."""

    def __init__(self, layout: RowLayout, owned: range | np.ndarray):
        self.layout, self.owned, self.width = layout, owned, layout.width
        which = f"{owned.start} to {owned.stop - 1}" if isinstance(owned, range) else hashlib.blake2b(
            np.ascontiguousarray(owned), digest_size=8).hexdigest()
        self.text = f"{layout.text}, of {len(owned)} keys: {which}"

    def rows(self, ids) -> np.ndarray:
        ids = np.arange(ids.start, ids.stop) if isinstance(ids, range) else ids
        return self.layout.rows(ids + self.owned.start if isinstance(self.owned, range) else self.owned[ids])
