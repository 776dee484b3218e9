"""What a server notes of the pushes and sets that it applies, where somebody asked for it.

    push, set ──applied──> rows        ┌─> log of a history (history.ServerLog): in which order
                             └─ noted ─┤
                                       └─> clocks of ranges (vector_clock.RangeClocks): whose, at which clock
"""

from __future__ import annotations

import numpy as np

from .vector_clock import RangeClocks

_ALL = (-2**63, 2**64)          # keys of a table without end


class Applied:
    """log: a ServerLog, or None. range_clocks: whether to keep clocks of ranges."""

    def __init__(self, shards, log, range_clocks: bool):
        self.log = log
        self.clocks = {shard.config.name: RangeClocks(*_bounds(shard)) for shard in shards} if range_clocks else {}

    def pushes(self, shard, clock: int, parts) -> None:
        """Parts of pushes stamped `clock` that are one step."""
        if self.log is not None:
            bounds = {part.bounds for part in parts}
            for of_bounds in sorted(bounds, key=str):
                self.log.applied(shard.config.name, "push", [(part.worker, part.life, part.number) for part in parts
                                                             if part.bounds == of_bounds], of_bounds)
        for part in parts if self.clocks else ():
            for lo, hi in runs(keys_of(shard, part.where)):
                self.clocks[shard.config.name].push(lo, hi, part.worker, clock)

    def assigned(self, shard, worker: int, life: int, number: int) -> None:
        """A set or init."""
        if self.log is not None:
            self.log.applied(shard.config.name, "set", [(worker, life, number)])


def keys_of(shard, where: range | np.ndarray) -> range | np.ndarray:
    """The keys that a shard calls `where`."""
    owned = shard.owned
    if owned is None:                               # it calls them by their keys
        return where
    if isinstance(owned, range):
        first = owned.start
        return range(where.start + first, where.stop + first) if isinstance(where, range) else where + first
    return owned[where.start:where.stop] if isinstance(where, range) else owned[where]


def runs(keys: range | np.ndarray):
    """(lo, hi) of every run of neighbouring keys; keys ascending."""
    if isinstance(keys, range):
        if keys:
            yield keys.start, keys.stop
        return
    ends = np.flatnonzero(np.diff(keys) != 1)
    starts = np.concatenate([[0], ends + 1]) if len(keys) else []
    for first, last in zip(starts, [*ends, len(keys) - 1]):
        yield int(keys[first]), int(keys[last]) + 1


def _bounds(shard) -> tuple[int, int]:
    owned = shard.owned
    if owned is None:
        return _ALL
    if isinstance(owned, range):
        return owned.start, owned.stop
    return (int(owned[0]), int(owned[-1]) + 1) if len(owned) else (0, 0)
