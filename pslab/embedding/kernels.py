"""From the gradients of bags to steps of rows: sort the ids, sum what falls on one row, step the row.

    lookups     id 7 in bag 0    id 2 in bag 0    id 7 in bag 1    id 9 in bag 2
    sorted      keys 2 7 9                distinct, ascending
                starts 0 1 3 4            lookup number starts[i] .. starts[i + 1] are those of keys[i]
                sources 0 | 0 1 | 2       the bag whose gradient each of them adds
    sums        g0 | g0 + g1 | g2         (n, D), one row for each distinct id
    step        rows[keys] changes by rule.step(rows[keys], sums, state[keys], t)

Sums are made for a block of rows at a time, which is then gathered, stepped and written back while the processor's
cache holds it. Memory needed besides: the sorted ids (16 bytes a lookup) and a few blocks of BLOCK_FLOATS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pslab.ps import Rule

BLOCK_FLOATS = 1 << 18          # 1 MB: rows of a block, their sums and their state pass through the cache together


@dataclass(frozen=True)
class Segments:
    """Lookups sorted by key: keys (n,) int64 distinct and ascending, starts (n + 1,) and sources (L,) int32.

    Segment i, that of keys[i], holds lookups starts[i]:starts[i + 1]. weights: (L,) in the order of sources, or None.
    """

    keys: np.ndarray
    starts: torch.Tensor
    sources: torch.Tensor
    weights: torch.Tensor | None = None

    def sums(self, grads: torch.Tensor, lo: int = 0, hi: int | None = None) -> torch.Tensor:
        """Σ weight · grads[source] over the lookups of each of keys[lo:hi]: (hi - lo, D). grads: (bags, D)."""
        hi = len(self.keys) if hi is None else hi
        if lo == hi:
            return grads.new_zeros((0, grads.shape[1]))
        first, last = int(self.starts[lo]), int(self.starts[hi])
        weights = None if self.weights is None else self.weights[first:last]
        return torch.embedding_bag(grads, self.sources[first:last], self.starts[lo:hi + 1] - first,
                                   per_sample_weights=weights, include_last_offset=True)[0]


def segments(keys: torch.Tensor, sources: torch.Tensor, weights: torch.Tensor | None = None) -> Segments:
    """Lookups in any order to sorted ones. keys (L,) int64 or int32, sources (L,) int32, weights (L,) or None.

    Equal keys keep their order, so that a sum adds in the order of the lookups.
    """
    if len(keys) == 0:
        return Segments(np.empty(0, np.int64), torch.zeros(1, dtype=torch.int32), sources, weights)
    ordered, order = torch.sort(keys, stable=True)
    values = ordered.numpy()
    starts = np.empty(len(values) + 1, np.bool_)
    starts[0] = starts[-1] = True
    np.not_equal(values[1:], values[:-1], out=starts[1:-1])
    starts = np.flatnonzero(starts)
    return Segments(values[starts[:-1]].astype(np.int64), torch.from_numpy(starts.astype(np.int32)), sources[order],
                    None if weights is None else weights[order])


def step_touched(table: np.ndarray, state: np.ndarray, rule: Rule, t: int, touched: Segments,
                 grads: torch.Tensor) -> None:
    """One step of the rows `touched.keys` of table (R, D) and state (slots, R, width), in place; grads (bags, D)."""
    dim = table.shape[1]
    if not len(touched.keys):
        return
    block = min(len(touched.keys), max(1, BLOCK_FLOATS // (dim * (2 + rule.slots))))
    rows_of_block = np.empty((block, dim), np.float32)
    state_of_block = np.empty((len(state), block, state.shape[2]), np.float32)
    for lo in range(0, len(touched.keys), block):
        keys = touched.keys[lo:lo + block]
        sums = touched.sums(grads, lo, lo + len(keys)).numpy()
        rows = table.take(keys, axis=0, out=rows_of_block[:len(keys)], mode="clip")     # clip: no copy for the check
        slots = state_of_block[:, :len(keys)]
        for slot, of_table in zip(slots, state):
            of_table.take(keys, axis=0, out=slot, mode="clip")
        rule.step(rows, sums, slots, t)
        table[keys] = rows
        for slot, of_table in zip(slots, state):
            of_table[keys] = slot


def step_all(table: np.ndarray, state: np.ndarray, rule: Rule, t: int, touched: Segments, grads: torch.Tensor) -> None:
    """As step_touched, but every row of the table steps, with gradient 0 where no lookup touched it."""
    num_rows, dim = table.shape
    block = max(1, BLOCK_FLOATS // (dim * (2 + rule.slots)))
    ends = np.searchsorted(touched.keys, np.arange(0, num_rows + block, block))
    for number, first in enumerate(range(0, num_rows, block)):
        rows = table[first:first + block]
        sums = np.zeros_like(rows)
        lo, hi = ends[number], ends[number + 1]
        sums[touched.keys[lo:hi] - first] = touched.sums(grads, lo, hi).numpy()
        rule.step(rows, sums, state[:, first:first + block], t)
