"""A shard of a table without end: any 64-bit key may have a row, and has one once somebody writes to it.

    push / set key ──> IdIndex ── new ──> a row behind the others, with the value that init gives to that key
    pull key       ──> IdIndex ── new ──> that value, and nothing is kept: reading takes no memory

First values depend on (seed, table, key) alone, so they are the same on however many servers and in whatever order keys
come. Here `where` is always keys: what a round or a pull that waits is about may get its row meanwhile.
"""

from __future__ import annotations

import numpy as np

from .dtypes import DTYPES, stored, values_of
from .growing import Growing
from .id_index import IdIndex
from .shard import Arena, Shard
from .stored import StoredShard

_MOST_IN_RANGE = 1 << 27        # rows of one range: a letter of a few bytes must not ask for all memory


class HashedShard(Shard):
    """Rows are numbered in the order in which their keys came; keys() and places() give them ascending by key."""

    def _make_rows(self):
        rule, dim = self.config.rule, self.config.dim
        self.owned = None
        self._index = IdIndex()
        self._rows = Growing(dim, DTYPES[self.config.dtype])
        width = rule.new_state(0, dim).shape[2]
        self._state = [Growing(width, np.float32) for _ in range(rule.slots)]

    @property
    def rows(self) -> np.ndarray:
        return self._rows.used

    @property
    def state(self) -> np.ndarray:
        """(slots, n, width): a copy."""
        return self.gather_state(self._index.keys)

    def where(self, keys):
        if isinstance(keys, range):
            if len(keys) > _MOST_IN_RANGE:
                return None
            keys = np.arange(keys.start, keys.stop, dtype=np.int64)
        if self.num_servers > 1 and (self.partition.owner(keys) != self.index).any():
            return None
        return keys

    def keys(self):
        return np.sort(self._index.keys)

    def places(self):
        return np.argsort(self._index.keys)

    # ---- reading --------------------------------------------------------------------------------------------------

    def gather(self, where: np.ndarray, arena: Arena) -> np.ndarray:
        places = self._index.find(where)
        rows = self._rows.all.take(places, axis=0, mode="clip",
                                   out=arena.rows(len(where), self.config.dim, self._rows.all.dtype))
        new = (places < 0).nonzero()[0]
        if new.size:
            rows[new] = stored(self.config.init.rows(where[new], self.config.dim, self.config.name), self.config.dtype)
        return rows

    def gather_state(self, where):
        places = self._index.find(where)
        state = self.config.rule.new_state(len(where), self.config.dim)
        known = (places >= 0).nonzero()[0]
        for slot, kept in enumerate(self._state):
            state[slot, known] = kept.all[places[known]]
        return state

    def _new_versions(self):
        versions = Growing(0, np.int64)
        versions.append(np.zeros(len(self._index), np.int64))
        return versions

    def _versions(self, where):
        places = self._index.find(where)
        return np.where(places >= 0, self._changed_at.all.take(places, mode="clip"), 0)

    # ---- writing --------------------------------------------------------------------------------------------------

    def assign(self, where, vals, state=None):
        super().assign(self._to_step(where, first_values=False), vals, state)

    def _is_new(self, where):
        return self._index.find(where) < 0

    def _to_step(self, where: np.ndarray, first_values: bool = True) -> np.ndarray:
        """Places of the keys; those that are new get a row, with its first values unless they are about to be set."""
        places = self._index.find(where)
        new = (places < 0).nonzero()[0]
        if new.size:
            config, keys = self.config, where[new]
            self._index.add(keys)
            at = self._rows.extend(len(keys))
            places[new] = np.arange(at.start, at.stop)
            if first_values:
                self._rows.all[at] = stored(config.init.rows(keys, config.dim, config.name), config.dtype)
            state = config.rule.new_state(len(keys), config.dim)
            for slot, kept in enumerate(self._state):
                kept.append(state[slot])
            if self._changed_at is not None:
                self._changed_at.append(np.zeros(len(keys), np.int64))
        return places

    def _mark(self, at):
        if self._changed_at is not None:
            self.version += 1
            self._changed_at.all[at] = self.version

    def _load(self, at):
        rows = self._rows.all[at] if isinstance(at, slice) else self._rows.all.take(at, axis=0)
        state = np.empty((len(self._state), len(rows), self._state[0].all.shape[1] if self._state else 1), np.float32)
        for slot, kept in enumerate(self._state):
            state[slot] = kept.all[at]
        return values_of(rows, self.config.dtype), state, False

    def _save(self, at, rows, state):
        self._rows.all[at] = stored(rows, self.config.dtype)
        for slot, kept in enumerate(self._state):
            kept.all[at] = state[slot]


def make_shard(config, index: int, num_servers: int) -> Shard:
    """Server `index`'s shard of a table."""
    kind = HashedShard if config.num_rows is None else Shard if config.storage is None else StoredShard
    return kind(config, index, num_servers)
