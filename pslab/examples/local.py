"""All rows in one process, behind the same face as a KVWorker: the baseline that servers are held against.

    pull ── a copy of the rows        push ── kept until clock()        clock ── one step of the rule a table
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pslab.ps import TableConfig


class LocalTables:
    """pull, push, wait and clock without messages. What it does in a round is what BSP with one worker does."""

    def __init__(self, tables: Sequence[TableConfig]):
        self._config = {table.name: table for table in tables}
        self.rows = {table.name: table.initial_rows() for table in tables}
        self._state = {table.name: table.rule.new_state(table.num_rows, table.dim) for table in tables}
        self._pushed: dict[str, list] = {table.name: [] for table in tables}
        self._pulled: dict[int, np.ndarray] = {}
        self._last = self.current_clock = 0

    def pull(self, keys, table: str) -> int:
        """keys: (n,) whole numbers or a range."""
        self._last += 1
        self._pulled[self._last] = self.rows[table][_index(keys)].copy()
        return self._last

    def push(self, keys, vals, table: str) -> int:
        """keys: (n,) distinct whole numbers or a range; vals (n, dim) float32, handed over."""
        self._last += 1
        self._pushed[table].append((keys, vals))
        return self._last

    def wait(self, timestamp: int) -> np.ndarray | None:
        """Rows of a pull."""
        return self._pulled.pop(timestamp, None)

    def clock(self) -> int:
        """End the round: gradients of equal keys summed, one step."""
        self.current_clock += 1
        for name, parts in self._pushed.items():
            if parts:
                self._step(name, *_summed(parts))
                parts.clear()
        return self.current_clock

    def _step(self, name: str, keys, grads: np.ndarray) -> None:
        rows, state, at = self.rows[name], self._state[name], _index(keys)
        own_rows, own_state = rows[at], state[:, at]            # views for a slice, copies for an array
        self._config[name].rule.step(own_rows, grads, own_state, self.current_clock)
        if not isinstance(at, slice):
            rows[at], state[:, at] = own_rows, own_state


def _index(keys):
    return slice(keys.start, keys.stop) if isinstance(keys, range) else keys


def _summed(parts: list) -> tuple:
    if len(parts) == 1:
        return parts[0]
    keys = np.concatenate([np.asarray(keys) for keys, _ in parts])
    grads = np.concatenate([grads for _, grads in parts])
    distinct, place = np.unique(keys, return_inverse=True)
    sums = np.zeros((len(distinct), grads.shape[1]), np.float32)
    np.add.at(sums, place, grads)
    return distinct, sums
