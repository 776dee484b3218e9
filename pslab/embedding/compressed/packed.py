"""Tables that are kept in bytes, read and trained row by row.

    ids ──> packed[ids] ── decode ──> rows (n, D) float32 ──> pooled          only the rows that are asked for
                 ^                         │ gradient, rule
                 └──── encode, stochastic ─┴─ step()                          and written back as bytes

The table is never there in float32, neither when it is made nor when it is trained. The rule's state (an accumulator
a row, say) stays float32; `state_bytes()` counts it beside `bytes()`.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.ps import SGD, Init, Rule, Zeros

from ..fused import default_init
from . import int4, int8
from .bag import TrainedByStep, check_update, summed
from .rounding import Stochastic, check_seed

ROUNDINGS = ("stochastic", "nearest")
_BLOCK = 4096                   # rows packed at a time when a table is made


class PackedRows(TrainedByStep):
    """R rows of D values in `packed` (R, row_bytes) uint8. Int8Rows and Int4Rows say how.

    rule: what step() does to the rows (of pslab.ps; default SGD(0.1)). rounding: of rows that are written back after a
    step, "stochastic" or "nearest"; a new table is rounded to the nearest either way. seed: of the first rows and of
    the draws: step k draws from (seed, k), so that a run that is resumed goes on as it would have.
    """

    codec = None

    def __init__(self, num_embeddings: int, embedding_dim: int, pooling: str = "sum", *, rule: Rule | None = None,
                 rounding: str = "stochastic", seed: int = 0, init: Init | None = None, name: str = "",
                 include_last_offset: bool = False):
        super().__init__(num_embeddings, embedding_dim, pooling, include_last_offset)
        rule = SGD(0.1) if rule is None else rule
        if not isinstance(rule, Rule):
            raise ValueError(f"rule={rule!r}; a rule of pslab.ps is needed, as SGD(0.1)")
        if rounding not in ROUNDINGS:
            raise ValueError(f"rounding={rounding!r}; allowed: {', '.join(ROUNDINGS)}")
        self.rule, self.rounding, self.seed = rule, rounding, check_seed(seed)
        init = default_init(seed) if init is None else init
        packed = torch.empty(num_embeddings, self.codec.row_bytes(embedding_dim), dtype=torch.uint8)
        for first in range(0, num_embeddings, _BLOCK):
            keys = range(first, min(first + _BLOCK, num_embeddings))
            packed[first:keys.stop] = torch.from_numpy(self.codec.encode(init.rows(keys, embedding_dim, name)))
        self.register_buffer("packed", packed)
        self.register_buffer("state", torch.from_numpy(rule.new_state(num_embeddings, embedding_dim)))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @classmethod
    def from_rows(cls, weight, pooling: str = "sum", **options) -> PackedRows:
        """A table of the rows weight (R, D), an array or tensor, rounded to the nearest; options as above."""
        packed = cls.codec.encode(weight)
        table = cls(len(weight), weight.shape[1], pooling, **{"init": Zeros(), **options})
        table.packed.copy_(torch.as_tensor(packed))
        return table

    def rows(self, ids) -> torch.Tensor:
        """(n, D) float32: rows `ids` (n,) decoded; no others are."""
        return self.codec.decode(self.packed[torch.as_tensor(ids)])

    def _rows(self, ids, counts):
        return self.leaf(ids, self.rows(ids))

    def update(self, ids, grads) -> None:
        """One step of the rule on rows `ids` (n,), gradients (n, D); those of equal ids are summed first.

        ValueError for NaN or infinity in a gradient or in a row that comes of it: no row is changed then.
        """
        ids, grads = summed(*check_update(ids, grads, self.embedding_dim, self.num_embeddings))
        step = int(self.steps) + 1
        rows, state = self.rows(ids).numpy(), self.state.numpy()[:, ids]
        self.rule.step(rows, grads, state, step)
        rounding = Stochastic([*np.atleast_1d(self.seed).tolist(), step]) if self.rounding == "stochastic" else None
        try:
            packed = self.codec.encode(rows, rounding)
        except ValueError as error:
            raise ValueError(f"step {step} of ids {ids[:4].tolist()}{'...' if len(ids) > 4 else ''} cannot be kept, "
                             f"nothing was updated: {error} (row 0 is id {ids[0]})") from None
        self.packed[torch.from_numpy(ids)] = torch.from_numpy(packed)
        self.state.numpy()[:, ids] = state
        self.steps += 1

    def bytes(self) -> int:
        """R · row_bytes: what the rows take, scale and minimum included, the rule's state not."""
        return self.packed.numel()

    def state_bytes(self) -> int:
        """What the rule keeps beside the rows, float32."""
        return 4 * self.state.numel()


class Int8Rows(PackedRows):
    """Rows of D + 8 bytes; see int8.py."""

    codec = int8


class Int4Rows(PackedRows):
    """Rows of D/2 + 4 bytes, D even; see int4.py."""

    codec = int4
