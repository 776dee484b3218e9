"""Tables sharded over the ranks of a group: what ShardedEmbeddingBagCollection does with a Comm.

    forward    lookups ──input_dist──> owners look up ──output_dist──> pooled bags (B, sum of D)
    backward   gradients of what was received ──gradient_dist──> owners: sum over ranks, one step of the rule
               replicas (data_parallel): all-reduce or all-gather of the gradients, the same step on every rank

Both halves are collective: every rank of the group runs forward and backward equally often, in the same order, with its
own batch, of any size and also without rows. A forward without gradients (torch.no_grad) has no backward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from pslab.collectives import all_gather, all_reduce
from pslab.comm import Comm
from pslab.ps import Init, Rule

from ..config import EmbeddingBagConfig, check_tables, check_weighted
from .dists import input_dist, value_dist
from .export import export, load_export
from .layout import Group, fused_keys, groups_of
from .lookup import Bags, Lookup
from .owner import Ask, Store, joined
from .plan import Sharding
from .wire import wires


class OverRanks:
    """The stores of one rank, and the exchanges with the others; see ShardedEmbeddingBagCollection."""

    def __init__(self, tables: Sequence[EmbeddingBagConfig], comm: Comm, plan: Mapping[str, Sharding], rule: Rule,
                 wire="fp32", dedup: bool = True, is_weighted: bool = False, init: Init | None = None):
        if not isinstance(rule, Rule):
            raise ValueError(f"rule={rule!r}; with a Comm the owners update rows by a rule of pslab.ps, e.g. SGD(0.1)")
        if not isinstance(dedup, bool):
            raise ValueError(f"dedup={dedup!r}; True (distinct rows travel) or False (sums of bags) is needed")
        self.tables, self.comm, self.plan = check_tables(tables), comm, plan
        self.row_wire, self.gradient_wire = wires(wire)
        self.is_weighted = check_weighted(self.tables, is_weighted)
        self.dedup, self.steps, self.rule = dedup, 0, rule
        self.held: list | None = None                          # [(batch, received gradients, replicas', t)], or step
        self._ahead: dict[int, tuple] = {}
        self.groups = groups_of(self.tables, plan, comm.world_size)
        self.sharded = [group for group in self.groups if group.replica is None]
        self.width = sum(table.embedding_dim * len(table.feature_names) for table in self.tables)
        keys = fused_keys(self.tables)
        self.stores: dict[int, Store] = {}
        self._kept = {id(group): torch.empty(0, group.dim) for group in self.sharded}
        for group in self.groups:
            rows = torch.empty(group.num_rows(comm.rank), group.dim)
            for part in group.parts.get(comm.rank, ()):
                part.draw(rows[part.first:part.first + part.shard.num_rows], init, *keys[part.table.name])
            self.stores[id(group)] = Store(rows, rule)

    def forward(self, features) -> torch.Tensor:
        """(B, sum of D)."""
        anchor = torch.zeros(0, requires_grad=True)            # rows are no parameter: this makes autograd call back
        return _Exchange.apply(anchor, features, self)

    def look_up(self, features) -> tuple[torch.Tensor, Batch]:
        """The pooled bags, and what backward needs to know of the batch."""
        batch = self._ask(features)
        answers = [[self.stores[id(group)].lookup(ask) for group, ask in zip(self.sharded, asked)]
                   for asked in batch.asked]
        received = self._exchange(answers, self.row_wire, [[ask.units for ask in lookup.asks]
                                                           for lookup in batch.lookups])
        units = [(lookup, self._together(lookup.group, parts)) for lookup, parts in zip(batch.lookups, received)]
        units += [(lookup, self.stores[id(group)].lookup(lookup.asks[0])) for group, lookup in batch.replicas]
        if self.groups[0].whole:                               # one group is all of the output
            lookup, rows = units[0]
            return lookup.pool(rows).reshape(batch.rows, self.width), batch
        out = torch.empty(batch.rows, self.width)
        for lookup, rows in units:
            for slot, bags in zip(lookup.group.slots, lookup.pool(rows).unbind(1)):
                out[:, slot.column:slot.column + lookup.group.dim] = bags
        return out, batch

    def send_back(self, grad_out: torch.Tensor, batch: Batch) -> None:
        """Gradients to the owners, and one step of the rule there."""
        self.steps += 1
        K = self.comm.world_size
        to_owners = []
        for lookup in batch.lookups:
            units = lookup.unit_gradients(grad_out)
            to_owners.append([units[lo:hi] for lo, hi in zip(lookup.cut, lookup.cut[1:])])
        received = self._exchange([[group[o] for group in to_owners] for o in range(K)], self.gradient_wire,
                                  [[batch.asked[r][g].units for r in range(K)] for g in range(len(self.sharded))])
        steps = [(self.stores[id(group)], [asked[g] for asked in batch.asked], self._together(group, received[g]))
                 for g, group in enumerate(self.sharded)]
        steps += [(self.stores[id(group)], *self._joined_replicas(group, lookup, lookup.unit_gradients(grad_out)))
                  for group, lookup in batch.replicas]
        if self.held is None:
            for store, asks, grads in steps:
                store.step(asks, grads, self.steps)
        else:                                                  # the memory of `_together` is the next exchange's
            self.held.append(([(store, asks, grads.clone()) for store, asks, grads in steps], self.steps))

    def release(self, times: float = 1.0) -> None:
        """Take the steps that were held, their gradients multiplied by `times`."""
        held, self.held = self.held, []
        for steps, t in held:
            for store, asks, grads in steps:
                store.step(asks, grads if times == 1.0 else grads.mul_(times), t)

    def held_square(self) -> float:
        """The sum of squares of the held gradients of this rank's rows, equal rows summed; replicas count at rank 0."""
        replicas = {id(self.stores[id(group)]) for group in self.groups if group.replica and self.comm.rank}
        return sum(store.square(asks, grads) for steps, _ in self.held for store, asks, grads in steps
                   if id(store) not in replicas)

    def _ask(self, features) -> Batch:
        """input_dist, after which every rank has what it needs of this batch, or none has."""
        _, prepared, work = self._ahead.pop(id(features), (None, None, None))
        if work is None:
            prepared = self._prepare(features)
            asked = self._input(self.comm, prepared)
        else:
            asked = work.wait()
            if isinstance(asked, ValueError):
                raise asked
        rows, lookups, replicas, _ = prepared
        return Batch(rows, lookups, replicas, asked)

    def ask_ahead(self, features) -> None:
        """_ask in the background; see ShardedEmbeddingBagCollection.prefetch."""
        if id(features) not in self._ahead:
            prepared = self._prepare(features)
            work = self.comm.background(lambda twin: self._input_or_error(twin, prepared), name="input_dist")
            self._ahead[id(features)] = features, prepared, work

    def forget(self, keep=None) -> None:
        """Wait for what was asked ahead of other batches than `keep`, and drop it."""
        for key in [key for key in self._ahead if key != id(keep)]:
            self._ahead.pop(key)[2].wait()

    def _prepare(self, features) -> tuple:
        """(rows of the batch, lookups, those of replicas, what is wrong with the batch or None)."""
        try:
            bags = {id(group): Bags.of(group, features, self.is_weighted) for group in self.groups}
        except ValueError as bad:
            return 0, [], [], str(bad)
        lookups = [Lookup(group, bags[id(group)], self.dedup) for group in self.sharded]
        replicas = [(group, Lookup(group, bags[id(group)], True)) for group in self.groups if group.replica]
        return bags[id(self.groups[0])].batch, lookups, replicas, None

    def _input_or_error(self, comm: Comm, prepared: tuple):
        """A bad batch is told at its forward; raised here, it would stop all else that travels in the background."""
        try:
            return self._input(comm, prepared)
        except ValueError as bad:
            return bad

    def _input(self, comm: Comm, prepared: tuple) -> list[list[Ask]]:
        _, lookups, _, error = prepared
        asks = None if error is not None else [lookup.asks for lookup in lookups]
        return input_dist(comm, asks, len(self.sharded), self.dedup, self.is_weighted, error or "")

    def _exchange(self, parts: list[list[torch.Tensor]], wire, units: list[list[int]]) -> list[list[torch.Tensor]]:
        """parts[q][g] (n, D) goes to rank q; returns [g][r], what rank r sent for group g, units[g][r] rows of it.

        What a rank gives to itself is not encoded where others' is: it does not travel.
        """
        rank, groups = self.comm.rank, range(len(self.sharded))
        messages = [torch.empty(0, dtype=wire.dtype) if q == rank else
                    _flat([wire.encode(part) for part in mine], wire.dtype) for q, mine in enumerate(parts)]
        received = value_dist(self.comm, messages)
        result: list[list[torch.Tensor]] = [[] for _ in groups]
        for r, message in enumerate(received):
            place = 0
            for g in groups:
                if r == rank:
                    result[g].append(parts[rank][g])
                    continue
                size = units[g][r] * wire.row_elements(self.sharded[g].dim)
                result[g].append(wire.decode(message[place:place + size], self.sharded[g].dim))
                place += size
        return result

    def _together(self, group: Group, parts: list[torch.Tensor]) -> torch.Tensor:
        """All parts (n, D) in one tensor: in memory that is kept, as fresh pages cost more than the copy."""
        parts = [part for part in parts if len(part)]
        if len(parts) == 1:
            return parts[0]
        size = sum(map(len, parts))
        if len(self._kept[id(group)]) < size:
            self._kept[id(group)] = torch.empty(size + size // 4, group.dim)
        whole = self._kept[id(group)][:size]
        return torch.cat(parts, out=whole) if parts else whole

    def _joined_replicas(self, group: Group, lookup: Lookup, grads: torch.Tensor) -> tuple[list[Ask], torch.Tensor]:
        """What every replica steps by: asks and gradients of all ranks."""
        store, ids = self.stores[id(group)], lookup.asks[0].ids
        if group.replica == "sparse":
            everyone = all_gather(self.comm, ids)
            return [Ask(ids) for ids in everyone], torch.cat(all_gather(self.comm, grads))
        dense = torch.zeros(len(store.rows), group.dim + 1)        # the last column: was this row touched by anyone?
        dense[ids.long(), :-1] = grads
        dense[ids.long(), -1] = 1
        all_reduce(self.comm, dense)
        touched = dense[:, -1].nonzero().view(-1)
        return [Ask(touched.to(torch.int32))], dense[touched, :-1]

    def rows(self, table: str) -> torch.Tensor:
        """All rows of one table, on every rank: (R, D). Collective."""
        config = self._config(table)
        whole = torch.empty(config.num_embeddings, config.embedding_dim)
        for group, parts in self._parts(table):
            if group.replica:
                whole.copy_(self.stores[id(group)].rows[parts[self.comm.rank][0].first:][:config.num_embeddings])
                continue
            own = [self._of(group, part) for part in parts.get(self.comm.rank, ())]
            for rank, rows in enumerate(all_gather(self.comm, joined(own) if own else torch.empty(0, group.dim))):
                for part in parts.get(rank, ()):               # a rank has one shard of a table
                    lo, hi = part.shard.columns
                    whole[torch.from_numpy(part.ids()), lo:hi] = rows
        return whole

    def load_rows(self, table: str, rows: torch.Tensor) -> None:
        """Begin from given rows (R, D): each rank takes its part of them, without a message."""
        config = self._config(table)
        if tuple(rows.shape) != (config.num_embeddings, config.embedding_dim):
            raise ValueError(f"rows of shape {list(rows.shape)} for table {table!r} of "
                             f"{config.num_embeddings} x {config.embedding_dim}")
        for group, parts in self._parts(table):
            for part in parts.get(self.comm.rank, ()):
                lo, hi = part.shard.columns
                self._of(group, part).copy_(rows[torch.from_numpy(part.ids()), lo:hi])

    def export(self) -> dict[str, torch.Tensor]:
        """This rank's shards and their state as tensors; see export.py."""
        return export(self)

    def load_export(self, files: Sequence[Mapping[str, torch.Tensor]]) -> None:
        """Take this rank's shards out of the exports of all ranks, however many they were."""
        load_export(self, files)

    def _parts(self, table: str):
        for group in self.groups:
            parts = {rank: [part for part in mine if part.table.name == table] for rank, mine in group.parts.items()}
            if any(parts.values()):
                yield group, parts

    def _of(self, group: Group, part) -> torch.Tensor:
        return self.stores[id(group)].rows[part.first:part.first + part.shard.num_rows]

    def _config(self, table: str) -> EmbeddingBagConfig:
        for config in self.tables:
            if config.name == table:
                return config
        raise ValueError(f"table={table!r}; there are {', '.join(config.name for config in self.tables)}")


class Batch:
    """What backward must know: this rank's lookups, and asked[r][g], what rank r asked of this rank."""

    def __init__(self, rows: int, lookups: list[Lookup], replicas: list[tuple[Group, Lookup]], asked: list[list[Ask]]):
        self.rows, self.lookups, self.replicas, self.asked = rows, lookups, replicas, asked


class _Exchange(torch.autograd.Function):
    """Forward: the pooled bags. Backward: the owners' step."""

    @staticmethod
    def forward(ctx, anchor, features, over):
        out, ctx.batch = over.look_up(features)
        ctx.over = over
        return out

    @staticmethod
    def backward(ctx, grad_out):
        ctx.over.send_back(grad_out, ctx.batch)
        return torch.zeros(0), None, None


def _flat(parts: list[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    return joined(parts) if parts else torch.empty(0, dtype=dtype)
