"""Embedding bags over tables larger than memory: a file for each dimension, the rows in use in RAM.

    forward   ids ──distinct──> store.read ──> rows ──pool──> (B, D) per feature
    backward  gradients, summed by row ──────> one step of the rule, state beside the row
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pslab.ps import Init, Rule

from ..config import EmbeddingBagConfig, bags_of
from ..fused import default_init, fuse
from ..sharded import ShardedEmbeddingBagCollection
from .layout import RowLayout
from .memory import MemoryStore
from .storage import on_disk
from .store import RowStore, whole
from .table import TieredTable


class TieredEmbeddingBagCollection(ShardedEmbeddingBagCollection):
    """As EmbeddingBagCollection of the same seed, with rows in files of `folder` and at most budget_bytes of RAM.

    rule: what each `backward` does to the rows; the module has no parameters. Tables of one dimension share a file, and
    files share the budget by the size of their tables. folder=None keeps all rows in RAM, without a budget. stores:
    instead of both, {name of the fused table: RowStore}, as `fuse(tables)` names them.
    flush() makes the rows last; close() too, and gives the files back (or use it in a `with` block).
    """

    def __init__(self, tables: Sequence[EmbeddingBagConfig], rule: Rule, folder: str | Path | None = None,
                 budget_bytes: int | None = None, *, stores: dict[str, RowStore] | None = None, seed: int = 0,
                 init: Init | None = None):
        if (folder is None) != (budget_bytes is None) or (stores is not None and folder is not None):
            raise ValueError(f"folder={folder!r}, budget_bytes={budget_bytes!r}, stores given: {stores is not None}; "
                             f"a folder and a budget belong together, stores take their place")
        init = default_init(seed) if init is None else init
        fused = fuse(tables)
        layouts = {part.name: RowLayout(part.dim, rule, init, part.name) for part in fused}
        sizes = {part.name: part.num_rows * layouts[part.name].width for part in fused}
        if folder is not None and not os.path.isdir(folder):
            raise ValueError(f"folder={os.fspath(folder)!r}; there is no such folder")
        made: dict[str, TieredTable] = {}
        try:
            for part in fused:
                layout = layouts[part.name]
                if stores is not None:
                    store = _given(stores, part)
                elif folder is None:
                    store = MemoryStore(part.num_rows, first=layout)
                else:
                    share = whole("budget_bytes", budget_bytes) * sizes[part.name] // sum(sizes.values())
                    store = on_disk(os.path.join(folder, f"{part.name}.rows"), part.num_rows, layout, max(1, share))
                made[part.name] = TieredTable(store, layout)
        except BaseException:
            for table in made.values() if stores is None else ():
                table.store.abandon()
            raise
        super().__init__(tables, _Tables(made))

    @property
    def stores(self) -> dict[str, RowStore]:
        """{name of the fused table: its store}."""
        return {name: table.store for name, table in self.backend.tables.items()}

    def wants(self, features) -> list[tuple[RowStore, np.ndarray]]:
        """What a Prefetcher asks of a batch: for each store the ids that forward will read."""
        return [(self.backend.tables[part.name].store,
                 np.concatenate([bags_of(features, feature, table).values.numpy() + first
                                 for table, first in zip(part.tables, part.first_key)
                                 for feature in table.feature_names])) for part in self.fused]

    def rows(self, table: str) -> torch.Tensor:
        """All rows of one table, (R, D), in RAM; looking at them is no use of them."""
        for part in self.fused:
            if table in [member.name for member in part.tables]:
                keys = part.keys(table)
                return torch.from_numpy(self.backend.tables[part.name].values(np.arange(keys.start, keys.stop)))
        raise ValueError(f"table={table!r}; there are {', '.join(config.name for config in self.configs)}")

    def flush(self) -> None:
        """All rows, and their state, to the files."""
        for store in self.stores.values():
            store.flush()

    def close(self) -> None:
        """Flush, and give back the files."""
        for store in self.stores.values():
            store.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class _Tables:
    """Tables in this process, with the face of a KVWorker that a sharded collection uses."""

    def __init__(self, tables: dict[str, TieredTable]):
        self.tables = tables

    def pull(self, keys: np.ndarray, table: str) -> torch.Tensor:
        found = self.tables[table]
        return found.store.tensor(keys)[:, :found.layout.dim].cpu().contiguous()

    @staticmethod
    def wait(rows: torch.Tensor) -> torch.Tensor:
        return rows

    def push(self, keys: np.ndarray, grads: torch.Tensor, table: str) -> None:
        self.tables[table].update_distinct(keys, grads)


def _given(stores: dict[str, RowStore], part) -> RowStore:
    store = stores.get(part.name)
    if store is None or store.num_rows != part.num_rows:
        raise ValueError(f"stores[{part.name!r}] holds {getattr(store, 'num_rows', 'nothing')}; a store of "
                         f"{part.num_rows} rows is needed")
    return store
