"""One server's piece of one table: rows, the rule's state beside them, rounds that are still open.

    num_rows = R       rows   (n, dim)             row i is key lo + i, or the i-th of the keys it owns
                       state  (slots, n, width)    float32; width is what the rule needs for a row
    num_rows = None    the same arrays, which grow as keys are written to: hashed.py
    rounds {clock: parts}    BSP: pushes wait here until their round closes, then become one step; else a push is one

A request's `where` says which rows it is about: places in these arrays, or, where they grow, the keys themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .dtypes import DTYPES, stored, values_of
from .keys import is_ascending, sum_equal
from .tables import TableConfig

_STEP_BYTES = 1 << 19       # a step works in blocks of 512 KB, so that its scratch stays in cache
GIVEN_BYTES = 1 << 15       # letters longer than this are not sent behind their header
_FILL_BYTES = 1 << 24       # first values are made so many bytes at a time


class Part(NamedTuple):
    """One push in a round: `where` is a range or (n,) ascending, of one shard. vals (n, dim) float32.

    life: the incarnation of the worker. bounds: (lo, hi) of the key range that this is the part of, None for all.
    """

    worker: int
    number: int
    where: range | np.ndarray
    vals: np.ndarray
    life: int = 0
    bounds: tuple | None = None


class Shard:
    """One server's rows of a table. Every method works on whole requests; nothing here is checked again."""

    def __init__(self, config: TableConfig, index: int, num_servers: int):
        self.config, self.index, self.num_servers = config, index, num_servers
        self.partition = config.partition.bind(config.num_rows, num_servers)
        self.rounds: dict[int, list[Part]] = {}
        self.counts = dict.fromkeys(("inits", "sets", "pulls", "pushes", "steps", "keys_in_bytes", "keys_out_bytes",
                                     "vals_in_bytes", "vals_out_bytes"), 0)
        self.t = self.t_before = 0                      # the last step's t; where t went on from (an import)
        self.version, self._changed_at = 0, None        # steps so far, and for each row the last that changed it
        self._block = max(1, _STEP_BYTES // (4 * config.dim))
        self._make_rows()

    def _make_rows(self) -> None:
        config = self.config
        owned = range(config.num_rows) if self.num_servers == 1 else self.partition.owned(self.index)
        self.owned = owned                              # a range, or (n,) keys ascending
        self.rows = np.empty((len(owned), config.dim), DTYPES[config.dtype])
        block = max(1, _FILL_BYTES // (4 * config.dim))
        for first in range(0, len(owned), block):
            values = config.init.rows(owned[first:first + block], config.dim, config.name)
            self.rows[first:first + block] = stored(values, config.dtype)
        self.state = config.rule.new_state(len(owned), config.dim)
        self._written = np.zeros(len(owned), bool)      # an init, a set or a step was here

    # ---- which rows -----------------------------------------------------------------------------------------------

    def where(self, keys: np.ndarray | range) -> range | np.ndarray | None:
        """Places of the keys, in their order; None when one of them is not this server's. keys: a range or (n,)."""
        owned = self.owned
        if isinstance(owned, range):
            if isinstance(keys, range):
                return range(keys.start - owned.start, keys.stop - owned.start) if \
                    owned.start <= keys.start and keys.stop <= owned.stop else None
            if keys.min() < owned.start or keys.max() >= owned.stop:
                return None
            return keys - owned.start if owned.start else keys
        keys = np.arange(keys.start, keys.stop) if isinstance(keys, range) else keys
        at = np.searchsorted(owned, keys)
        return at if len(owned) and np.array_equal(owned.take(at, mode="clip"), keys) else None

    def keys(self) -> np.ndarray:
        """(n,) int64: the keys that have a row here, ascending."""
        owned = self.owned
        return np.arange(owned.start, owned.stop) if isinstance(owned, range) else owned.copy()

    def places(self) -> slice | np.ndarray:
        """Where the rows of keys() lie in `rows` and `state`."""
        return slice(None)

    # ---- reading --------------------------------------------------------------------------------------------------

    def gather(self, where: range | np.ndarray, arena: Arena) -> np.ndarray:
        """(n, dim) rows as they are kept; a range is a view of the table itself, valid until the next step."""
        if isinstance(where, range):
            return self.rows[where.start:where.stop]
        return self.rows.take(where, axis=0, out=arena.rows(len(where), self.rows.shape[1], self.rows.dtype),
                              mode="clip")

    def gather_state(self, where: np.ndarray) -> np.ndarray:
        """(slots, n, width) float32: a copy."""
        return self.state.take(where, axis=1)

    def gather_changed(self, where: np.ndarray, stamps: np.ndarray, arena: Arena) -> list[np.ndarray]:
        """What a worker with copies of the first h rows, of these versions (h,), lacks: [bits, rows, state].

        bits: (⌈h/8⌉,) uint8, which of the h changed; rows: those, then the others; state only where the worker steps
        on its copies by a rule that has one. Versions are kept from the first call on.
        """
        if self._changed_at is None:
            self._changed_at = self._new_versions()
        changed = self._versions(where[:len(stamps)]) > stamps
        where = np.concatenate([where[:len(stamps)][changed], where[len(stamps):]])
        tensors = [np.packbits(changed), self.gather(where, arena)]
        if self.config.consistency.steps_on_copies and self.config.rule.slots:
            tensors.append(self.gather_state(where))
        return tensors

    def _new_versions(self) -> np.ndarray:
        return np.zeros(len(self.rows), np.int64)

    def _versions(self, where: np.ndarray) -> np.ndarray:
        return self._changed_at[where]

    # ---- writing --------------------------------------------------------------------------------------------------

    def assign(self, where: range | np.ndarray, vals: np.ndarray, state: np.ndarray | None = None) -> None:
        """Set rows, vals (n, dim) float32, and their state (None: to that before the first step)."""
        at = slice(where.start, where.stop) if isinstance(where, range) else where
        self._mark(at)
        self._save(at, vals, self.config.rule.new_state(len(where), self.config.dim) if state is None else state)

    def assign_new(self, where: range | np.ndarray, vals: np.ndarray) -> None:
        """As assign, but only the rows that nobody wrote to before."""
        where = np.arange(where.start, where.stop) if isinstance(where, range) else where
        new = np.flatnonzero(self._is_new(where))
        if new.size:
            self.assign(where[new], vals[new])

    def _is_new(self, where: np.ndarray) -> np.ndarray:
        return ~self._written[where]

    def close(self, clock: int, times: float = 1.0) -> None:
        """End a round: join its parts in rank order, sum equal keys, multiply the sums by `times`, take one step."""
        parts = self.rounds.pop(clock, None)
        if parts:
            where, grads = join(parts)
            if times != 1.0:
                grads *= times
            self.step(where, grads, t=clock + 1)

    def step(self, where: range | np.ndarray, grads: np.ndarray, t: int) -> None:
        """One step of the rule for distinct rows. grads (n, dim) float32 is scratch afterwards."""
        rule, self.counts["steps"] = self.config.rule, self.counts["steps"] + 1
        self.t = t = t + self.t_before
        where = self._to_step(where)
        if not isinstance(where, range) and where[-1] - where[0] == len(where) - 1 and is_ascending(where):
            where = range(int(where[0]), int(where[-1]) + 1)            # neighbours: work in place as well
        self._mark(slice(where.start, where.stop) if isinstance(where, range) else where)
        for first in range(0, len(where), self._block):
            at, piece = where[first:first + self._block], grads[first:first + self._block]
            if isinstance(at, range):
                at = slice(at.start, at.stop)
            rows, state, in_place = self._load(at)
            if rule.scratches and not piece.flags.writeable:        # it lies in the worker's memory
                piece = piece.copy()
            rule.step(rows, piece, state, t)
            if not in_place:
                self._save(at, rows, state)

    def _to_step(self, where: range | np.ndarray) -> range | np.ndarray:
        """Places of the rows that a step is about."""
        return where

    def _mark(self, at) -> None:
        """Rows change."""
        self._written[at] = True
        if self._changed_at is not None:
            self.version += 1
            self._changed_at[at] = self.version

    def _load(self, at: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
        """(rows float32, state, whether both are the shard's own memory)."""
        if isinstance(at, slice):
            rows = self.rows[at]
            return values_of(rows, self.config.dtype), self.state[:, at], rows.dtype == np.float32
        return values_of(self.rows.take(at, axis=0), self.config.dtype), self.state.take(at, axis=1), False

    def _save(self, at: slice | np.ndarray, rows: np.ndarray, state: np.ndarray) -> None:
        self.rows[at] = stored(rows, self.config.dtype)
        if self.config.rule.slots:
            self.state[:, at] = state


class Arena:
    """Memory for the answers of one `handle` call, reused by the next: fresh pages cost more than the gather."""

    def __init__(self):
        self._memory, self._used = np.empty(0, np.uint8), 0
        self.give: Callable | None = None               # comm.empty, where long answers are read in its memory

    def reset(self) -> None:
        self._used = 0

    def rows(self, num_rows: int, dim: int, dtype: np.dtype) -> np.ndarray:
        size = num_rows * dim * dtype.itemsize
        if self.give is not None and size > GIVEN_BYTES:        # the reader's from then on: never used again here
            return self.give((num_rows, dim), str(dtype)).numpy()
        if self._used + size > self._memory.size:       # older answers keep the old memory alive
            self._memory, self._used = np.empty(max(2 * self._memory.size, size), np.uint8), 0
        first = self._used
        self._used += size + -size % 64                 # the next one begins where a line of the cache does
        return self._memory[first:first + size].view(dtype).reshape(num_rows, dim)


def join(parts: list[Part]) -> tuple[range | np.ndarray, np.ndarray]:
    """The parts of a round as one: distinct rows and their summed gradients, added in the order of ranks.

    Ordered by (worker, number), so the sums do not depend on who came first. The first part's vals may be overwritten.
    """
    parts = sorted(parts, key=lambda part: part[:2])
    where = parts[0].where
    if len(parts) == 1:
        return where, parts[0].vals
    if all(isinstance(part.where, range) and part.where == where for part in parts):
        total = parts[0].vals
        for part in parts[1:]:
            total += part.vals
        return where, total
    keys = [np.arange(p.where.start, p.where.stop) if isinstance(p.where, range) else p.where for p in parts]
    return sum_equal(np.concatenate(keys), np.concatenate([part.vals for part in parts]))
