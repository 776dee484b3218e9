"""What a server holds, to be looked at from outside: its rows, its keys, and all of it as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from . import export
from .dtypes import values_of
from .shard import Shard


class Holdings:
    """The part of a `KVServer` that tells what is in its `shards`."""

    shards: list[Shard]

    def rows(self, table: str) -> np.ndarray:
        """This server's rows of a table, (n, dim) float32, in the order of `keys`.

        A view where num_rows is given and the dtype is float32, else a copy.
        """
        shard = self._shard(table)
        return values_of(shard.rows[shard.places()], shard.config.dtype)

    def keys(self, table: str) -> np.ndarray:
        """(n,) int64, ascending: the keys that have a row here; without num_rows those that were written to."""
        return self._shard(table).keys()

    def bounds(self, table: str) -> tuple[int, int]:
        """(lo, hi): the keys lo <= key < hi of a table that this server owns, where they are contiguous."""
        owned = self._shard(table).owned
        if not isinstance(owned, range):
            raise ValueError(f"table {table!r}: this server's keys are not contiguous; ask keys({table!r})")
        return owned.start, owned.stop

    def state_dict(self, tables: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """All that is kept of the tables (default: of all) as tensors; see export.py."""
        shards = self.shards if tables is None else [self._shard(table) for table in tables]
        return {name: tensor for shard in shards for name, tensor in export.of_shard(shard).items()}

    def load_state_dict(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take over, of an export by however many servers, the rows that this server owns; before serving."""
        export.check_tables_of(tensors, [shard.config.name for shard in self.shards])
        for shard in self.shards:
            export.into_shard(shard, tensors)

    def flush(self) -> None:
        """Bring tables with a `storage` to its lowest tier: a file has their rows from then on."""
        for shard in self.shards:
            if shard.config.storage is not None:
                shard.store.flush()

    def close(self) -> None:
        """Close the stores of tables with a `storage`, after the last request."""
        for shard in self.shards:
            if shard.config.storage is not None:
                shard.store.close()

    def _shard(self, table: str) -> Shard:
        for shard in self.shards:
            if shard.config.name == table:
                return shard
        raise ValueError(f"table={table!r}; this server has {[shard.config.name for shard in self.shards]}")
