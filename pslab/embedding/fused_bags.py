"""Embedding bags whose backward is the optimizer: rows are stepped where their gradients arise.

    forward    ids ──> rows of one fused table, pooled by bags ──> (B, sum of D)
    backward   gradients (B, sum of D) ──> sums by distinct row ──> rule.step on these rows          no gradient is kept

             user.weight  ┐
             user.sum     │  views of           what a state_dict holds is by table,
             item.weight  ├─ rows  (R, D)       what is computed with is the fused table
             item.sum     ┘  state (slots, R, width)

A step costs what the batch touches: no tensor of the table's size is made, and rows outside of the batch are not even
read (DenseAdam, which steps all rows, reads them). Equal ids of a batch are one step for their summed gradient, as
FBGEMM's exact optimizers do it, and as the servers of pslab.ps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from pslab.ps import Init, Rule

from .config import EmbeddingBagConfig, KeyedTensor, bags_of, check_weighted
from .fused import FusedTable, default_init, fuse
from .kernels import Segments, segments, step_all, step_touched
from .large_pages import in_large_pages
from .named import NamedTables

SORT_LOOKUPS = 1 << 16      # tables are sorted together up to so many lookups: the sort stays in the cache
WEIGHT_LOOKUPS = 1 << 14    # gradients of weights are computed for so many lookups at a time


class FusedEmbeddingBagCollection(nn.Module):
    """As EmbeddingBagCollection, trained by `rule` inside of backward: there is no optimizer to step.

    tables: those of one dimension are kept as one. rule: one of pslab.ps (SGD, AdaGrad, RowWiseAdaGrad, Adam, which is
    lazy, FTRL, ...) or DenseAdam; `rule` may be replaced between steps by one with the same state (a new rate).
    seed and init: first rows, the same as an EmbeddingBagCollection's. is_weighted: as there.

    Every `backward` is one step; `steps` counts them and is the rule's t. Forward without gradients (torch.no_grad)
    steps nothing. state_dict: `tables.<name>.weight` as in an EmbeddingBagCollection, the rule's state by its names
    (`tables.<name>.sum`), and `steps`. Rows are float32 in this process's memory.
    """

    def __init__(self, tables: Sequence[EmbeddingBagConfig], rule: Rule, seed: int = 0, init: Init | None = None,
                 is_weighted: bool = False):
        super().__init__()
        if not isinstance(rule, Rule):
            raise ValueError(f"rule={rule!r}; a rule of pslab.ps is needed, such as AdaGrad(lr=0.1)")
        self.configs, self.fused, self.rule = list(tables), fuse(tables), rule
        _check_names(rule.state_names)
        self.is_weighted = check_weighted(self.configs, is_weighted)
        init = default_init(seed) if init is None else init
        self._rows = [in_large_pages(init.rows(range(part.num_rows), part.dim, part.name)) for part in self.fused]
        self._state = [in_large_pages(rule.new_state(part.num_rows, part.dim)) for part in self.fused]
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.tables = NamedTables({table.name: nn.Module() for table in self.configs})
        self._name_parts()
        self._columns, first = {}, 0
        for table in self.configs:
            for feature in table.feature_names:
                self._columns[feature] = slice(first, first + table.embedding_dim)
                first += table.embedding_dim
        self._anchor = torch.zeros(0, requires_grad=True)       # rows are no parameter: this makes autograd call back

    def forward(self, features) -> KeyedTensor:
        """KeyedJaggedTensor of B rows -> KeyedTensor with values (B, sum of D), features in the order of the tables."""
        weights = features.weights if self.is_weighted else None
        values = _Bags.apply(self._anchor, weights, self, features)
        return KeyedTensor(list(self._columns), [part.stop - part.start for part in self._columns.values()], values)

    def _name_parts(self) -> None:
        """Each table's stretch of rows and state as buffers, views by which a state_dict names and loads them."""
        for fused, rows, state in zip(self.fused, self._rows, self._state):
            for table in fused.tables:
                keys, part = fused.keys(table.name), self.tables[table.name]
                part.register_buffer("weight", rows[keys.start:keys.stop])
                for name, slot in zip(self.rule.state_names, state):
                    part.register_buffer(name, slot[keys.start:keys.stop])

    def _apply(self, fn, recurse=True):
        """Moves and casts go through the fused tables, whose views the buffers are; other dtypes are refused."""
        rows, state = ([fn(part) for part in parts] for parts in (self._rows, self._state))
        for part in (*rows, *state):
            if part.dtype != torch.float32 or part.device.type != "cpu":
                raise ValueError(f"rows of {part.dtype} on {part.device}; FusedEmbeddingBagCollection keeps float32 in "
                                 "the memory of its process")
        self._rows, self._state, self.steps = rows, state, fn(self.steps)
        self._name_parts()
        return self


def _check_names(names: Sequence[str]) -> None:
    """ValueError for names of a rule's state that a state_dict cannot hold beside the rows."""
    for name in names:
        if not isinstance(name, str) or not name or "." in name or name == "weight" or hasattr(nn.Module, name):
            raise ValueError(f"state_names={list(names)!r} of the rule hold {name!r}, by which a table's state is kept "
                             f"beside its 'weight'; another name, without a dot, is needed")


class _Bags(torch.autograd.Function):
    """Pooled rows forward; the step of the touched rows backward."""

    @staticmethod
    def forward(ctx, anchor, weights, module, features):
        lookups, ends = {}, dict(zip(features.keys, features.offset_per_key[1:]))
        for table in module.configs:
            for feature in table.feature_names:
                bags = bags_of(features, feature, table, module.is_weighted)
                own = None if weights is None else bags.weights.detach().to(torch.float32)
                lookups[feature] = _Lookup(bags.values, bags.lengths, bags.offsets, own, ends[feature])
        pooled = [_pooled(fused, rows, lookups, features.stride) for fused, rows in zip(module.fused, module._rows)]
        out = pooled[0] if len(pooled) == 1 else _in_columns(module, pooled)
        ctx.module, ctx.lookups, ctx.steps, ctx.weights = module, lookups, int(module.steps), weights
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grads):
        module, to_weights = ctx.module, None
        if ctx.needs_input_grad[1]:
            to_weights = _gradient_of_weights(ctx, grads)
        module.steps += 1
        step = step_all if getattr(module.rule, "every_row", False) else step_touched
        for fused, rows, state in zip(module.fused, module._rows, module._state):
            of_bags = _gradient_of_bags(module, fused, ctx.lookups, grads)
            for touched in _sorted_lookups(fused, ctx.lookups, together=step is step_all):
                step(rows.numpy(), state.numpy(), module.rule, int(module.steps), touched, of_bags)
        return None, to_weights, None, None


@dataclass(frozen=True)
class _Lookup:
    """The bags of one feature; `end`: where its ids end among those of all features."""

    ids: torch.Tensor
    lengths: torch.Tensor
    offsets: torch.Tensor
    weights: torch.Tensor | None
    end: int


def _pooled(fused: FusedTable, rows: torch.Tensor, lookups: dict, num_bags: int) -> torch.Tensor:
    """The pooled rows of a fused table's features side by side: (B, features · D)."""
    found = [(lookups[feature], table, first) for table, first in zip(fused.tables, fused.first_key)
             for feature in table.feature_names]
    if all(len(one.ids) == num_bags and one.weights is None and one.lengths.numpy().all() for one, _, _ in found):
        # One id in every bag: its row is the bag's sum and mean, and one gather writes the result where it belongs.
        keys = torch.stack([one.ids + first for one, _, first in found], dim=1)
        return rows.index_select(0, keys.view(-1)).view(num_bags, len(found) * fused.dim)
    out = torch.empty(num_bags, len(found) * fused.dim)
    for place, (one, table, first) in enumerate(found):
        out[:, place * fused.dim:(place + 1) * fused.dim] = F.embedding_bag(
            one.ids, rows[first:first + table.num_embeddings], one.offsets, mode=table.pooling,
            include_last_offset=True, per_sample_weights=one.weights)
    return out


def _in_columns(module, pooled: list[torch.Tensor]) -> torch.Tensor:
    """The results of several fused tables in the order of the configured ones."""
    parts = {}
    for fused, values in zip(module.fused, pooled):
        names = [feature for table in fused.tables for feature in table.feature_names]
        parts.update(zip(names, values.split(fused.dim, dim=1)))
    return torch.cat([parts[feature] for feature in module._columns], dim=1)


def _gradient_of_bags(module, fused: FusedTable, lookups: dict, grads: torch.Tensor) -> torch.Tensor:
    """The gradients of the fused table's bags, (B · features, D): row b·features + f; means divided by their ids."""
    features = [(feature, table) for table in fused.tables for feature in table.feature_names]
    means = [(place, feature) for place, (feature, table) in enumerate(features) if table.pooling == "mean"]
    if len(module.fused) > 1:
        grads = torch.cat([grads[:, module._columns[feature]] for feature, _ in features], dim=1)
    elif means:
        grads = grads.clone(memory_format=torch.contiguous_format)
    grads = grads.contiguous().view(len(grads), len(features), fused.dim)
    for place, feature in means:
        grads[:, place] /= lookups[feature].lengths.clamp(min=1)[:, None]
    return grads.view(-1, fused.dim)


def _sorted_lookups(fused: FusedTable, lookups: dict, together: bool) -> Iterator[Segments]:
    """The lookups of a batch by ascending key; a few tables at a time, all of them where they must stay together."""
    num_features = sum(len(table.feature_names) for table in fused.tables)
    parts, place, waiting = [], 0, 0
    for table, first in zip(fused.tables, fused.first_key):
        for feature in table.feature_names:
            one = lookups[feature]
            bags = np.arange(place, place + num_features * len(one.lengths), num_features, dtype=np.int32)
            parts.append((one.ids + first, np.repeat(bags, one.lengths.numpy()), one.weights))
            place, waiting = place + 1, waiting + len(one.ids)
        if waiting >= SORT_LOOKUPS and not together:
            yield _sorted(fused, parts)
            parts, waiting = [], 0
    if waiting or together:
        yield _sorted(fused, parts)


def _sorted(fused: FusedTable, parts: list) -> Segments:
    keys, sources, weights = zip(*parts)
    keys = torch.cat(keys)
    if fused.num_rows < 1 << 31:
        keys = keys.to(torch.int32)         # half the bytes to sort
    return segments(keys, torch.from_numpy(np.concatenate(sources)),
                    None if weights[0] is None else torch.cat(weights))


def _gradient_of_weights(ctx, grads: torch.Tensor) -> torch.Tensor:
    """(sum of L,): gradient of a bag · row of an id, for every lookup; a feature that no table names gets 0."""
    module = ctx.module
    if int(module.steps) != ctx.steps:
        raise RuntimeError("the rows have been stepped since this forward read them, so gradients of its weights are "
                           "lost: call backward before another backward steps the rows")
    out = torch.zeros_like(ctx.weights)
    for fused, rows in zip(module.fused, module._rows):
        for table in fused.tables:
            for feature in table.feature_names:
                one = ctx.lookups[feature]
                bags = torch.repeat_interleave(torch.arange(len(one.lengths)), one.lengths)
                of_feature, keys = grads[:, module._columns[feature]], one.ids + fused.keys(table.name).start
                of_weights = out[one.end - len(one.ids):one.end]
                for part in (slice(lo, lo + WEIGHT_LOOKUPS) for lo in range(0, len(keys), WEIGHT_LOOKUPS)):
                    of_weights[part] = (of_feature[bags[part]] * rows[keys[part]]).sum(1)
    return out
