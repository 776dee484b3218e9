"""A shard whose rows lie in a store that the table names: tiers of memory and a file, say (pslab.embedding.tiers).

    place of a row ──> store.read / store.write ──> | values | state |        one record: they never come apart

The store is any object with num_rows, width, steps, read(ids), write(ids, rows), peek(ids), flush() and close(); where
it has a `capacity`, at most so many rows are asked for at once. What a server answers is the same, bit for bit, as of a
shard in memory.
"""

from __future__ import annotations

import numpy as np

from .keys import is_ascending
from .shard import Shard

_MOST = 1 << 16         # rows read at once from a store without a capacity


class StoredShard(Shard):
    """config.storage(config, owned, index) makes the store; owned: the keys of its rows 0, 1, ..., a range or (n,)."""

    def _make_rows(self):
        config = self.config
        self.owned = range(config.num_rows) if self.num_servers == 1 else self.partition.owned(self.index)
        self._shape = config.rule.new_state(0, config.dim).shape[::2]               # (slots, width of one)
        self.store = config.storage(config, self.owned, self.index)
        needed = (len(self.owned), config.dim + self._shape[0] * self._shape[1])
        if (self.store.num_rows, self.store.width) != needed:
            raise ValueError(f"table {config.name!r}: storage gave a store of {self.store.num_rows} rows of width "
                             f"{self.store.width}; {needed[0]} rows of width {needed[1]} are needed")
        self._most = getattr(self.store, "capacity", _MOST)
        self._block = min(self._block, self._most)
        self.t = self.t_before = self.store.steps           # a store that was there before: go on from it
        self._written = np.full(len(self.owned), self.t > 0)

    @property
    def rows(self) -> np.ndarray:
        """(n, dim): a copy."""
        return self._peek(np.arange(len(self.owned)))[:, :self.config.dim]

    @property
    def state(self) -> np.ndarray:
        """(slots, n, width): a copy."""
        return self.gather_state(np.arange(len(self.owned)))

    def gather(self, where, arena):
        where = np.arange(where.start, where.stop) if isinstance(where, range) else where
        rows, inverse = arena.rows(len(where), self.config.dim, np.dtype(np.float32)), None
        target = rows
        if not is_ascending(where):
            where, inverse = np.unique(where, return_inverse=True)
            target = np.empty((len(where), self.config.dim), np.float32)
        for lo in range(0, len(where), self._most):
            target[lo:lo + self._most] = self.store.read(where[lo:lo + self._most])[:, :self.config.dim]
        if inverse is not None:
            np.take(target, inverse.reshape(-1), axis=0, out=rows, mode="clip")
        return rows

    def gather_state(self, where):
        return self._state_of(self._peek(where)).copy()

    def _peek(self, where):
        rows = np.empty((len(where), self.store.width), np.float32)
        for lo in range(0, len(where), self._most):
            rows[lo:lo + self._most] = self.store.peek(where[lo:lo + self._most])
        return rows

    def _state_of(self, rows):
        return rows[:, self.config.dim:].reshape(len(rows), *self._shape).transpose(1, 0, 2)

    def _new_versions(self):
        return np.zeros(len(self.owned), np.int64)

    def _load(self, at):
        rows = self.store.read(self._ids(at))
        return rows[:, :self.config.dim], self._state_of(rows), False

    def _save(self, at, rows, state):
        ids = self._ids(at)
        for lo in range(0, len(ids), self._most):
            some = slice(lo, lo + self._most)
            records = np.empty((len(ids[some]), self.store.width), np.float32)
            records[:, :self.config.dim] = rows[some]
            self._state_of(records)[...] = state[:, some]
            self.store.write(ids[some], records)

    def step(self, where, grads, t):
        super().step(where, grads, t)
        self.store.steps = self.t

    def _ids(self, at):
        return np.arange(at.start, at.stop) if isinstance(at, slice) else at
