"""Embedding bags whose rows live elsewhere: on servers, as drawn here, or on the ranks of a group (see `sharding`).

    forward    ids ──unique──> keys ──pull──> servers ──> rows (n, D) ──pool here──> (B, D) per feature
                  └─ inverse: which of the n rows each of the L lookups means ──┘
    backward   (B, D) per feature ──sum over the lookups of a row──> gradients (n, D) ──push──> servers

What travels is one key and one row per *distinct* id, whatever the batch repeats: 8 n bytes of keys and 4 D n of
values for a pull, and the same for a push. Tables of one dimension are fused: one pull and one push per server a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pslab.comm import Comm
from pslab.ps import Init, KVWorker, Rule

from .config import EmbeddingBagConfig, KeyedTensor, bags_of
from .fused import FusedTable, default_init, fuse
from .sharding import OverRanks, Sharding, plan_tables


class ShardedEmbeddingBagCollection(nn.Module):
    """As EmbeddingBagCollection, with the rows elsewhere: on the servers of `pslab.ps`, or on the ranks of a group.

    tables    EmbeddingBagConfigs. The module has no parameters: every `backward` is one step of a rule where rows live.
              Gradients are summed as they are; a worker that wants them weighted (local over global batch) weights its
              loss. Features of the input that no table names are not looked at; a missing one is a ValueError.
    backend   a KVWorker that knows the fused tables (`table_configs(tables, rule)`), as its servers do: rows are pulled
              in forward, gradients pushed in backward, `clock()` is the caller's; no other argument is given then. If
              it keeps copies (KVWorker(cache_rows=..., cache_policy=...)), rows come from them as far as the tables'
              consistency allows. Or a Comm: the ranks share the rows among themselves, and all of them run forward and
              backward together, each with its own batch; equal rows are summed in the order of the ranks, one step of
              the rule is taken.
    plan      {table name: Sharding}; None: `plan_tables(tables, comm.world_size, rule)`
    rule      of pslab.ps, e.g. SGD(0.1); t of its steps counts the backwards of this module
    wire      of rows and gradients: "fp32", "fp16" or "int8", or a pair (rows, gradients), e.g. ("int8", "fp32")
    dedup     True: distinct rows travel to the rank that pools them, best where batches repeat ids or bags hold few.
              False: owners pool, and sums travel, one for each bag that is not empty at that owner: best where bags
              hold many different ids. Bytes of both: pslab.embedding.sharding.dists
    is_weighted  as in EmbeddingBagCollection, but weights get no gradient: the rows are elsewhere
    seed, init   of the first rows, as EmbeddingBagCollection draws them

    With a Comm an id out of range is a ValueError on every rank, which names feature and table on the rank that brought
    it; nothing has changed then, and the next batch may follow.
    """

    def __init__(self, tables: Sequence[EmbeddingBagConfig], backend: KVWorker | Comm,
                 plan: Mapping[str, Sharding] | None = None, rule: Rule | None = None, wire="fp32", dedup: bool = True,
                 *, is_weighted: bool = False, seed: int = 0, init: Init | None = None):
        super().__init__()
        self.configs, self.fused, self.backend = list(tables), fuse(tables), backend
        self._feature_dims = [(feature, table.embedding_dim) for table in self.configs
                              for feature in table.feature_names]
        self.over, self.held = None, None
        self._ahead: dict[int, tuple] = {}
        if isinstance(backend, Comm):
            if plan is None:
                plan = plan_tables(tables, backend.world_size, rule)
            init = default_init(seed) if init is None else init
            self.over = OverRanks(self.configs, backend, plan, rule, wire, dedup, is_weighted, init)
            return
        for argument, value, default in (("plan", plan, None), ("rule", rule, None), ("wire", wire, "fp32"),
                                         ("dedup", dedup, True), ("is_weighted", is_weighted, False), ("seed", seed, 0),
                                         ("init", init, None)):
            if value != default:
                raise ValueError(f"{argument}={value!r} belongs to a Comm; servers are told theirs by table_configs")

    def forward(self, features) -> KeyedTensor:
        """KeyedJaggedTensor of B rows -> KeyedTensor with values (B, sum of D), features in the order of the tables."""
        dims = [dim for _, dim in self._feature_dims]
        names = [feature for feature, _ in self._feature_dims]
        if self.over is not None:
            return KeyedTensor(names, dims, self.over.forward(features))
        _, lookups, pulls = self._ahead.pop(id(features), None) or self._ask(features)
        pooled: dict[str, torch.Tensor] = {}
        for lookup, pull in zip(lookups, pulls):
            rows = self.backend.wait(pull)
            anchor = torch.zeros(0, requires_grad=True)    # rows are no parameter: this makes autograd call back
            bags = _PullPool.apply(anchor, rows, lookup, self)
            if lookup.divisor is not None:
                bags = bags / lookup.divisor
            pooled.update(zip(lookup.features, bags.view(len(lookup.features), -1, lookup.dim)))
        return KeyedTensor(names, dims, torch.cat([pooled[name] for name in names], dim=1))

    def prefetch(self, features) -> None:
        """Ask for a coming batch now; the `forward` of this same object then finds its answer, or waits for it.

        From servers its rows are pulled: as they are at the worker's clock of this call. With a Comm its ids go to
        their owners, in the background, and rows are still read in forward; all ranks prefetch together, and an id out
        of range is a ValueError of that forward. What is asked for and not used: `forget`.
        """
        if self.over is not None:
            self.over.ask_ahead(features)
        elif id(features) not in self._ahead:
            self._ahead[id(features)] = self._ask(features)

    def forget(self, keep=None) -> None:
        """Take back every `prefetch` that no forward has used, except that of the batch `keep`."""
        if self.over is not None:
            self.over.forget(keep)
        for key in [key for key in self._ahead if key != id(keep)]:
            for pull in self._ahead.pop(key)[2]:
                self.backend.wait(pull)

    def _ask(self, features) -> tuple:
        """(features, lookups, pulls); the first keeps the object alive, by whose id it is found."""
        lookups = [_Lookup(fused, features) for fused in self.fused]
        # Ask for all dimensions first, then wait: their ways to the servers overlap.
        return features, lookups, [self.backend.pull(lookup.keys, table=lookup.table) for lookup in lookups]

    def hold(self) -> None:
        """From now on `backward` keeps what it would send to servers, or step, in `held`, until `release`."""
        if self.over is not None:
            self.over.held = [] if self.over.held is None else self.over.held
        elif self.held is None:
            self.held = []

    def release(self, times: float = 1.0) -> None:
        """Let go of what was held, multiplied by `times`; later backwards are held again."""
        if self.over is not None:
            self.over.release(times)
            return
        held, self.held = self.held, []
        for keys, grads, table in held:
            self.backend.push(keys, grads if times == 1.0 else grads * times, table=table)

    def rows(self, table: str) -> torch.Tensor:
        """All rows of one table: (R, D). Pulled from the servers; with a Comm all ranks ask together."""
        if self.over is not None:
            return self.over.rows(table)
        for fused in self.fused:
            if table in [part.name for part in fused.tables]:
                return self.backend.wait(self.backend.pull(fused.keys(table), table=fused.name)).clone()
        raise ValueError(f"table={table!r}; there are {', '.join(config.name for config in self.configs)}")

    def load_rows(self, table: str, rows: torch.Tensor) -> None:
        """Set all rows of one table, (R, D), the same on every rank: each keeps its part. With a Comm only."""
        if self.over is None:
            raise ValueError("load_rows is for ranks that share the rows; servers are given theirs by KVWorker.init")
        self.over.load_rows(table, rows)


class _Lookup:
    """The lookups of one fused table in one batch, over all its features.

    keys (n,) int64: distinct, ascending. inverse (L,): which of them each lookup means. offsets (F·B + 1,): the bags,
    feature-major. divisor (F·B, 1): ids per bag where pooling is the mean and 1 elsewhere; None when all bags are sums.
    """

    def __init__(self, fused: FusedTable, features):
        self.table, self.dim, self.features = fused.name, fused.dim, []
        ids, lengths, is_mean = [], [], []
        for table, first in zip(fused.tables, fused.first_key):
            for feature in table.feature_names:
                bags = bags_of(features, feature, table)
                self.features.append(feature)
                ids.append(bags.values.numpy() + first)
                lengths.append(bags.lengths.numpy())
                is_mean.append(table.pooling == "mean")
        self.keys, inverse = np.unique(np.concatenate(ids), return_inverse=True)
        self.inverse = torch.from_numpy(inverse.reshape(-1))
        self.lengths = np.concatenate(lengths)
        offsets = np.zeros(len(self.lengths) + 1, np.int64)
        np.cumsum(self.lengths, out=offsets[1:])
        self.offsets = torch.from_numpy(offsets)
        self.divisor = None
        if any(is_mean):
            counts = np.where(np.repeat(is_mean, len(lengths[0])), np.maximum(self.lengths, 1), 1)
            self.divisor = torch.from_numpy(counts.astype(np.float32)).unsqueeze(1)


class _PullPool(torch.autograd.Function):
    """Forward: sums of pulled rows by bag, (F·B, D). Backward: gradients summed over equal keys, pushed."""

    @staticmethod
    def forward(ctx, anchor, rows, lookup, module):
        ctx.lookup, ctx.module = lookup, module
        return F.embedding_bag(lookup.inverse, rows, lookup.offsets, mode="sum", include_last_offset=True)

    @staticmethod
    def backward(ctx, grad_bags):
        lookup = ctx.lookup
        bag_of_lookup = torch.from_numpy(np.repeat(np.arange(len(lookup.lengths)), lookup.lengths))
        grads = torch.zeros(len(lookup.keys), lookup.dim)
        grads.index_add_(0, lookup.inverse, grad_bags.index_select(0, bag_of_lookup))
        if ctx.module.held is None:
            ctx.module.backend.push(lookup.keys, grads, table=lookup.table)
        else:
            ctx.module.held.append((lookup.keys, grads, lookup.table))
        return torch.zeros(0), None, None, None
