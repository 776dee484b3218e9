"""What an owner does: looks rows up for every rank, and takes one step of the rule for what all ranks send back.

    asked by rank 0:  rows 2 5 9      gradients a b c ┐  sorted by row, equal rows summed in rank order
    asked by rank 1:  rows 5 7        gradients d e   ┘  2: a   5: b + d   7: e   9: c   ── rule.step ──> rows 2 5 7 9

Torch's embedding_bag does both sums: of rows by bag in a lookup, and of gradients by row in a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from pslab.ps import Rule

from ..kernels import Segments, segments, step_all, step_touched


@dataclass
class Ask:
    """What one rank wants of one owner's rows of one dimension.

    ids (n,) int32: rows of the owner's store. lengths (m,) int32: how many of them each bag holds, or None where rows
    are asked for and no sums. weights (n,) float32 or None.
    """

    ids: torch.Tensor
    lengths: torch.Tensor | None = None
    weights: torch.Tensor | None = None

    @property
    def units(self) -> int:
        """How many rows or sums of rows the answer has."""
        return len(self.ids) if self.lengths is None else len(self.lengths)


class Store:
    """The rows of one dimension that a rank owns: rows (n, D), and the rule's state (slots, n, width) beside them."""

    def __init__(self, rows: torch.Tensor, rule: Rule):
        self.rows, self.rule, self.dim = rows, rule, rows.shape[1]
        self.state = rule.new_state(*rows.shape)

    def lookup(self, ask: Ask) -> torch.Tensor:
        """(units, D): the rows asked for, or their sums by bag."""
        if ask.lengths is None:                        # bags of one row: faster than index_select (it reads ahead)
            return bag_sums(ask.ids, self.rows, torch.arange(len(ask.ids) + 1))
        return bag_sums(ask.ids, self.rows, offsets_of(ask.lengths), ask.weights)

    def step(self, asks: list[Ask], grads: torch.Tensor, t: int) -> None:
        """One step of the rule: grads (units of all asks, D), one ask after the other; equal rows are summed first."""
        touched = self._segments(asks)
        every_row = getattr(self.rule, "every_row", False)
        if len(touched.keys) == 0 and not (every_row and len(self.rows)):
            return
        step = step_all if every_row else step_touched
        step(self.rows.numpy(), self.state, self.rule, t, touched, grads)

    def square(self, asks: list[Ask], grads: torch.Tensor) -> float:
        """The sum of squares of what `step` would take its step by: of the sums by row."""
        return float(self._segments(asks).sums(grads).double().square().sum())

    def _segments(self, asks: list[Ask]) -> Segments:
        ids = joined([ask.ids for ask in asks])
        sources, weights = torch.arange(len(ids), dtype=torch.int32), None
        if asks[0].lengths is not None:
            lengths = joined([ask.lengths for ask in asks])
            sources = torch.repeat_interleave(torch.arange(len(lengths), dtype=torch.int32), lengths)
        if asks[0].weights is not None:
            weights = joined([ask.weights for ask in asks])
        return segments(ids, sources, weights)


def joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """All parts in one tensor; a single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def bag_sums(ids: torch.Tensor, rows: torch.Tensor, offsets: torch.Tensor,
             weights: torch.Tensor | None = None) -> torch.Tensor:
    """(bags, D): sums of rows[ids] from offset to offset, each times its weight; bags + 1 offsets."""
    if len(rows) == 0:                                  # torch refuses a table without rows, also for no ids
        return torch.zeros(len(offsets) - 1, rows.shape[1])
    return F.embedding_bag(ids, rows, offsets.to(ids.dtype), mode="sum", include_last_offset=True,
                           per_sample_weights=weights)


def offsets_of(lengths: torch.Tensor) -> torch.Tensor:
    """(n + 1,): where each bag begins, and where the last one ends."""
    offsets = torch.zeros(len(lengths) + 1, dtype=lengths.dtype)
    torch.cumsum(lengths, 0, dtype=lengths.dtype, out=offsets[1:])
    return offsets
