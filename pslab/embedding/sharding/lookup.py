"""A requester's half of a lookup: what it asks of each owner, and how answers become pooled bags.

    dedup=True     a unit is a distinct row       ids  7 7 3 | 7      ask: 3 7        answer: 2 rows, pooled here
    dedup=False    a unit is a bag's part         bags [7 7 3] [7]    ask: 7 7 3 | 7  answer: 2 sums, made by the owner

Either way the bags are sums of units, and a unit's gradient is a sum over bags: both are index lists made once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..config import bags_of
from ..kernels import segments
from .layout import Group
from .owner import Ask, bag_sums, offsets_of
from .plan import MOST_ROWS


@dataclass
class Bags:
    """The lookups of one group in one batch: L ids in F·B bags.

    keys (L,) int64; lengths (F·B,) int64, feature-major; out_bag (L,) int64: the bag of each lookup where bag (f, b) is
    number b·F + f, the order of the output; weights (L,) or None; divisor (F, B, 1): ids of a bag where the pooling is
    the mean, 1 elsewhere, or None. single: every bag holds one id.
    """

    keys: torch.Tensor
    lengths: torch.Tensor
    out_bag: torch.Tensor
    weights: torch.Tensor | None
    divisor: torch.Tensor | None
    single: bool
    features: int
    batch: int

    @classmethod
    def of(cls, group: Group, features, is_weighted: bool = False) -> Bags:
        """ValueError, naming feature and table, for an id out of range, a missing feature or missing weights."""
        keys, lengths, weights, is_mean = [], [], [], []
        for slot in group.slots:
            bags = bags_of(features, slot.feature, slot.table, is_weighted)
            keys.append(slot.pieces.keys(bags.values))
            lengths.append(bags.lengths)
            weights.append(bags.weights)
            is_mean.append(slot.table.pooling == "mean")
        keys, joined, F = torch.cat(keys), torch.cat(lengths), len(lengths)
        B = len(lengths[0])
        out_bag = torch.arange(F * B).view(B, F).t().reshape(-1)
        single = len(keys) == F * B and bool((joined == 1).all())
        if not single:
            out_bag = torch.repeat_interleave(out_bag, joined)
        joined_weights = torch.cat(weights).detach().to(torch.float32) if is_weighted else None
        divisor = None
        if any(is_mean) and not single:
            counts = joined.view(F, B).clamp(min=1).float()
            divisor = torch.where(torch.tensor(is_mean)[:, None], counts, torch.ones(())).unsqueeze(2)
        return cls(keys, joined, out_bag, joined_weights, divisor, single, F, B)


class Lookup:
    """Units by owner (`cut` (K + 1,) list: units cut[o]..cut[o + 1] are owner o's) and the sums over them."""

    def __init__(self, group: Group, bags: Bags, dedup: bool):
        self.group, self.bags = group, bags
        (self._by_row if dedup else self._by_bag)()

    def _by_row(self) -> None:
        bags, group = self.bags, self.group
        keys = bags.keys.to(torch.int32) if group.num_keys <= MOST_ROWS else bags.keys      # half the bytes to sort
        distinct = segments(keys, torch.arange(len(keys), dtype=torch.int32))
        order, starts = distinct.sources, distinct.starts
        self.units = len(distinct.keys)
        inverse = np.empty(len(keys), np.int64)
        inverse[order.numpy()] = np.repeat(np.arange(self.units), np.diff(starts.numpy()))
        self.cut = np.searchsorted(distinct.keys, group.base.numpy()).tolist()
        self._forward = (torch.from_numpy(inverse), None, bags.weights)
        self._backward = (bags.out_bag[order], starts, None if bags.weights is None else bags.weights[order])
        self.asks = [Ask(ids) for ids in self._local(torch.from_numpy(distinct.keys), self.cut)]

    def _by_bag(self) -> None:
        bags, base = self.bags, self.group.base
        owner = torch.bucketize(bags.keys, base[1:], right=True).to(torch.int16)
        owner, order = torch.sort(owner, stable=True)
        F, B = bags.features, bags.batch
        bag = torch.repeat_interleave(torch.arange(F * B), bags.lengths)[order]
        unit_key = owner.long() * (F * B) + bag
        _, lengths = torch.unique_consecutive(unit_key, return_counts=True)
        unit_offsets = offsets_of(lengths)
        firsts = unit_offsets[:-1]
        unit_bag, unit_out = bag[firsts], bags.out_bag[order][firsts]
        ranks = torch.arange(len(base))
        lookups_cut = torch.searchsorted(owner.long(), ranks).tolist()
        self.cut = torch.searchsorted(owner[firsts].long(), ranks).tolist()
        self.units = len(lengths)
        weights = None if bags.weights is None else bags.weights[order]
        by_bag = torch.sort(unit_bag, stable=True)
        bag_lengths = torch.bincount(unit_bag, minlength=F * B)
        self._forward = (by_bag.indices, offsets_of(bag_lengths), None)
        self._backward = (unit_out, torch.arange(self.units + 1), None)
        lengths = lengths.to(torch.int32)
        self.asks = [Ask(ids, lengths[lo:hi], None if weights is None else weights[first:last])
                     for ids, lo, hi, first, last in zip(self._local(bags.keys[order], lookups_cut), self.cut,
                                                         self.cut[1:], lookups_cut, lookups_cut[1:])]

    def _local(self, keys: torch.Tensor, cut: list[int]) -> list[torch.Tensor]:
        base = self.group.base.tolist()
        return [(keys[lo:hi] - first).to(torch.int32) for lo, hi, first in zip(cut, cut[1:], base)]

    def pool(self, units: torch.Tensor) -> torch.Tensor:
        """(B, F, D): the bags, of units (n, D) in the order of the asks."""
        bags, (which, offsets, weights) = self.bags, self._forward
        F, B, dim = bags.features, bags.batch, self.group.dim
        if bags.single:                                # in the order of the output at once, which saves a copy of it
            which, weights = (None if part is None else part.view(F, B).t().reshape(-1) for part in (which, weights))
            return bag_sums(which, units, torch.arange(F * B + 1), weights).view(B, F, dim)
        pooled = bag_sums(which, units, offsets_of(bags.lengths) if offsets is None else offsets, weights)
        pooled = pooled.view(F, B, dim)
        if bags.divisor is not None:
            pooled = pooled / bags.divisor
        return pooled.transpose(0, 1)

    def unit_gradients(self, grad_out: torch.Tensor) -> torch.Tensor:
        """(units, D): the gradient of each unit, of the gradient of the output (B, sum of D)."""
        bags, dim = self.bags, self.group.dim
        if self.group.whole:
            grads = grad_out.contiguous().view(bags.batch, bags.features, dim)
        else:
            grads = torch.stack([grad_out[:, slot.column:slot.column + dim] for slot in self.group.slots], dim=1)
        if bags.divisor is not None:
            grads = grads / bags.divisor.transpose(0, 1)
        which, offsets, weights = self._backward
        return bag_sums(which, grads.reshape(-1, dim), offsets, weights)
