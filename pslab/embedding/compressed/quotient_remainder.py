"""Two small tables instead of a large one: an id is its quotient and its remainder, and its row is made of two rows.

    id 23, m = 10 ──┬── quotient 2 ───> row 2 of ⌈R/m⌉ ──┐ op
                    └── remainder 3 ──> row 3 of m ──────┴──> row of 23        sum | product | concat

R ids have R different pairs, as (quotient, remainder) says which id it was. ⌈R/m⌉ + m rows, fewest at m = √R: 2·√R.
Every id costs two look-ups: on the wire twice the rows, so twice the bytes, where each has D columns (sum, product);
with concat each has D/2, and the bytes are those of one row. Many ids share a row, so that fewer *distinct* rows may
travel for a large batch: `wire_rows` counts them. Shi et al., "Compositional Embeddings Using Complementary
Partitions", KDD 2020.
"""

from __future__ import annotations

import torch
from torch import nn

from pslab.ps import Init, Uniform

from ..fused import DEFAULT_INIT_SCALE
from .bag import BagModule, check_ids, check_whole

OPS = ("sum", "product", "concat")
LOOKUPS_PER_ID = 2


class QuotientRemainder(BagModule):
    """R ids on ⌈R/m⌉ + m rows, m = num_remainders.

    op: "sum", "product" or "concat" of the two rows; concat joins two of D/2, D even. seed, init: of the rows, by
    default uniform, in ±0.1 (concat), ±0.05 (sum) or ±√0.1 (product), so that a row of an id begins within ±0.1.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, num_remainders: int, op: str = "sum",
                 pooling: str = "sum", *, seed: int = 0, init: Init | None = None, name: str = "",
                 include_last_offset: bool = False):
        super().__init__(num_embeddings, embedding_dim, pooling, include_last_offset)
        check_whole("num_embeddings", num_embeddings)
        check_whole("num_remainders", num_remainders)
        if num_remainders > num_embeddings:
            raise ValueError(f"num_remainders={num_remainders} with {num_embeddings} ids; at most as many are needed")
        if op not in OPS:
            raise ValueError(f"op={op!r}; allowed: {', '.join(OPS)}")
        if op == "concat" and embedding_dim % 2:
            raise ValueError(f"embedding_dim={embedding_dim} with op='concat', which joins two halves: an even one is "
                             f"needed")
        self.op, self.num_remainders, self.num_quotients = op, num_remainders, -(-num_embeddings // num_remainders)
        self.row_dim = embedding_dim // 2 if op == "concat" else embedding_dim
        scale = {"sum": DEFAULT_INIT_SCALE / 2, "product": DEFAULT_INIT_SCALE ** 0.5, "concat": DEFAULT_INIT_SCALE}[op]
        init = Uniform(scale, seed) if init is None else init
        for which, rows in (("quotient", self.num_quotients), ("remainder", num_remainders)):
            first = torch.from_numpy(init.rows(range(rows), self.row_dim, f"{name}/{which}"))
            self.register_parameter(which, nn.Parameter(first))

    def _rows(self, ids, counts):
        left, right = self.quotient[ids // self.num_remainders], self.remainder[ids % self.num_remainders]
        if self.op == "concat":
            return torch.cat([left, right], dim=1)
        return left + right if self.op == "sum" else left * right

    def wire_rows(self, ids, dedup: bool = False) -> int:
        """Rows that a look-up of ids asks for: two an id; dedup: each distinct row of either table once."""
        ids = torch.as_tensor(ids)
        check_ids(ids, self.num_embeddings)
        if not dedup:
            return LOOKUPS_PER_ID * ids.numel()
        return sum(len(part.unique()) for part in (ids // self.num_remainders, ids % self.num_remainders))

    def wire_bytes(self, ids, dedup: bool = False) -> int:
        """Bytes of those rows; a plain table sends numel · D · 4 (dedup: distinct ids · D · 4)."""
        return self.wire_rows(ids, dedup) * self.row_dim * self.quotient.element_size()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, num_remainders={self.num_remainders}, op={self.op!r}"
