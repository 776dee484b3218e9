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
        self.state = torch.from_numpy(rule.new_state(*rows.shape))
        self.lookups = 0

    def lookup(self, ask: Ask) -> torch.Tensor:
        """(units, D): the rows asked for, or their sums by bag."""
        self.lookups += len(ask.ids)
        if ask.lengths is None:
            return self.rows.index_select(0, ask.ids)
        return bag_sums(ask.ids, self.rows, offsets_of(ask.lengths), ask.weights)

    def step(self, asks: list[Ask], grads: torch.Tensor, t: int) -> None:
        """One step of the rule: grads (units of all asks, D), one ask after the other."""
        asks = [ask for ask in asks if len(ask.ids)]
        if not asks:
            return
        if len(asks) == 1 and asks[0].lengths is None:
            self._apply(asks[0].ids.long(), grads, t)          # distinct ids, from one rank: nothing to sum
            return
        ids = torch.cat([ask.ids for ask in asks])
        unit, weights = None, None
        if asks[0].lengths is not None:
            lengths = torch.cat([ask.lengths for ask in asks])
            unit = torch.repeat_interleave(torch.arange(len(lengths), dtype=torch.int32), lengths)
        if any(ask.weights is not None for ask in asks):
            weights = torch.cat([torch.ones(len(ask.ids)) if ask.weights is None else ask.weights for ask in asks])
        distinct = Distinct(ids)
        self._apply(distinct.ids.long(), distinct.sums(grads, unit, weights), t)

    def _apply(self, ids: torch.Tensor, grads: torch.Tensor, t: int) -> None:
        rows = self.rows.index_select(0, ids)
        state = self.state.index_select(1, ids)
        self.rule.step(rows.numpy(), grads.numpy(), state.numpy(), t)
        self.rows.index_copy_(0, ids, rows)
        if len(state):
            self.state.index_copy_(1, ids, state)


class Distinct:
    """The different values of ids (L,): `ids` (n,) ascending, where each stands in `order`, and `inverse` (L,)."""

    def __init__(self, ids: torch.Tensor):
        ordered, self.order = torch.sort(ids, stable=True)
        first = torch.ones(len(ids), dtype=torch.bool)
        torch.ne(ordered[1:], ordered[:-1], out=first[1:])
        starts = first.nonzero().view(-1)
        self.ids = ordered[starts]
        self.starts = torch.cat([starts, torch.tensor([len(ids)])])
        self._first = first

    @property
    def inverse(self) -> torch.Tensor:
        """(L,) int64: which of the distinct ids each of the given ones is."""
        inverse = torch.empty_like(self.order)
        inverse[self.order] = torch.cumsum(self._first, 0) - 1
        return inverse

    def sums(self, values: torch.Tensor, which: torch.Tensor | None = None,
             weights: torch.Tensor | None = None) -> torch.Tensor:
        """(n, D): for each distinct id the sum of weights[i]·values[which[i]] over its places i, in their order.

        which=None: values[i].
        """
        source = self.order if which is None else which[self.order].to(self.order.dtype)
        return bag_sums(source, values, self.starts, None if weights is None else weights[self.order])


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
