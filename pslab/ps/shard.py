"""One server's piece of one table: contiguous float32 rows, the rule's state beside them, rounds that are still open.

    rows   (n, dim)          row i is key lo + i
    state  (slots, n, dim)
    rounds {clock: parts}    BSP: pushes wait here until their round closes, then become one step; else a push is one
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .keys import sum_equal
from .tables import TableConfig

_STEP_BYTES = 1 << 18       # a step works in blocks of 256 KB, so that its scratch stays in cache


class Part(NamedTuple):
    """One push in a round: `where` is a range of local rows, or (n,) ascending local indices."""

    worker: int
    number: int
    where: range | np.ndarray
    vals: np.ndarray


class Shard:
    """The rows lo <= key < hi of a table. Every method works on whole requests; nothing here is checked again."""

    def __init__(self, config: TableConfig, index: int, num_servers: int):
        self.config = config
        self.lo, self.hi = config.partition.bind(config.num_rows, num_servers).bounds(index)
        self.rows = config.initial_rows(range(self.lo, self.hi))
        self.state = config.rule.new_state(self.hi - self.lo, config.dim)
        self.rounds: dict[int, list[Part]] = {}
        self.counts = dict.fromkeys(("inits", "pulls", "pushes", "steps", "keys_in_bytes", "keys_out_bytes",
                                     "vals_in_bytes", "vals_out_bytes"), 0)
        self.version, self._changed_at = 0, None        # steps so far, and for each row the last that changed it
        self._block = max(1, _STEP_BYTES // (4 * config.dim))

    def gather(self, where: range | np.ndarray, arena: Arena) -> np.ndarray:
        """(n, dim) values of the rows; a range is a view of the table itself, valid until the next step."""
        if isinstance(where, range):
            return self.rows[where.start:where.stop]
        return self.rows.take(where, axis=0, out=arena.rows(len(where), self.config.dim), mode="clip")

    def gather_changed(self, where: np.ndarray, stamps: np.ndarray, arena: Arena) -> list[np.ndarray]:
        """What a worker with copies of the first h rows, of these versions (h,), lacks: [bits, rows, state].

        bits: (⌈h/8⌉,) uint8, which of the h changed; rows: those, then the others; state only where the worker steps
        on its copies by a rule that has one. Versions are kept from the first call on.
        """
        if self._changed_at is None:
            self._changed_at = np.zeros(len(self.rows), np.int64)
        changed = self._changed_at[where[:len(stamps)]] > stamps
        where = np.concatenate([where[:len(stamps)][changed], where[len(stamps):]])
        tensors = [np.packbits(changed), self.gather(where, arena)]
        if self.config.consistency.steps_on_copies and self.config.rule.slots:
            tensors.append(self.state.take(where, axis=1))
        return tensors

    def _mark(self, at) -> None:
        """Rows change."""
        if self._changed_at is not None:
            self.version += 1
            self._changed_at[at] = self.version

    def assign(self, where: range | np.ndarray, vals: np.ndarray) -> None:
        """Set rows, and their state to that before the first step."""
        at = slice(where.start, where.stop) if isinstance(where, range) else where
        self._mark(at)
        self.rows[at] = vals
        self.state[:, at] = self.config.rule.new_state(len(where), self.config.dim)

    def close(self, clock: int) -> None:
        """End a round: join its parts in rank order, sum equal keys, take one step."""
        parts = self.rounds.pop(clock, None)
        if parts:
            self.step(*join(parts), t=clock + 1)

    def step(self, where: range | np.ndarray, grads: np.ndarray, t: int) -> None:
        """One step of the rule for distinct rows. grads is scratch afterwards."""
        rule, self.counts["steps"] = self.config.rule, self.counts["steps"] + 1
        if not isinstance(where, range) and where[-1] - where[0] == len(where) - 1:
            where = range(int(where[0]), int(where[-1]) + 1)            # neighbours: work in place as well
        self._mark(slice(where.start, where.stop) if isinstance(where, range) else where)
        for first in range(0, len(where), self._block):
            at, piece = where[first:first + self._block], grads[first:first + self._block]
            if isinstance(at, range):
                rule.step(self.rows[at.start:at.stop], piece, self.state[:, at.start:at.stop], t)
                continue
            rows, state = self.rows.take(at, axis=0), self.state.take(at, axis=1)
            rule.step(rows, piece, state, t)
            self.rows[at] = rows
            if rule.slots:
                self.state[:, at] = state


class Arena:
    """Memory for the answers of one `handle` call, reused by the next: fresh pages cost more than the gather."""

    def __init__(self):
        self._memory, self._used = np.empty(0, np.float32), 0

    def reset(self) -> None:
        self._used = 0

    def rows(self, num_rows: int, dim: int) -> np.ndarray:
        size = num_rows * dim
        if self._used + size > self._memory.size:       # older answers keep the old memory alive
            self._memory, self._used = np.empty(max(2 * self._memory.size, size), np.float32), 0
        first, self._used = self._used, self._used + size
        return self._memory[first:self._used].reshape(num_rows, dim)


def join(parts: list[Part]) -> tuple[range | np.ndarray, np.ndarray]:
    """The parts of a round as one: distinct local rows and their summed gradients, added in the order of ranks.

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
