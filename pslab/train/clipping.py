"""Clipping by the global norm: all gradients of a step shrink together where their joint length is above max_norm.

    norm = √(Σ dense g² + Σ rows g²)        of the *summed* gradients, of all workers
    times = min(1, max_norm / (norm + 1e-6))                     as torch.nn.utils.clip_grad_norm_

The norm needs sums that no worker has by itself. What that costs, a step:

    allreduce   nothing: every worker has all sums
    exchange    one number a rank more: the owners have the sums of their rows
    hybrid      pushes wait until the norm is known, and row gradients are sent once more, between workers: key k to
                worker k mod K, who sums equal keys. (K - 1)/K of a push's bytes, out and in
    server      the same, and a reduce-scatter of the dense gradients: (K - 1)/K of 4·P bytes

over="dense" leaves rows out, of the norm and of the shrinking: they are pushed in backward as ever, and only `server`
has something to pay. That is what training programs do whose embedding optimizer runs inside of backward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch

from pslab.collectives import all_reduce, all_to_all, reduce_scatter
from pslab.comm import Comm

OVER = ("all", "dense")


@dataclass(frozen=True)
class Clip:
    """Gradients at most `max_norm` long, over "all" of them (dense, and touched rows) or over the "dense" ones."""

    max_norm: float
    over: str = "all"

    def __post_init__(self):
        if isinstance(self.max_norm, bool) or not isinstance(self.max_norm, Real) or not 0 < self.max_norm < math.inf:
            raise ValueError(f"max_norm={self.max_norm!r}; a finite number above 0 is needed")
        if self.over not in OVER:
            raise ValueError(f"over={self.over!r}; allowed: {', '.join(map(repr, OVER))}")

    def times(self, square: float) -> float:
        """What gradients whose squares sum to `square` are multiplied by; NaN where that is NaN, as in torch."""
        norm = math.sqrt(square) if square >= 0 else math.nan
        return min(self.max_norm / (norm + 1e-6), 1.0) if norm == norm else math.nan


def clip_single(clip: Clip, dense: Sequence[torch.nn.Parameter], tables: Sequence[torch.nn.Parameter]) -> None:
    """In one process that has all gradients: torch's own."""
    torch.nn.utils.clip_grad_norm_([*dense, *tables] if clip.over == "all" else list(dense), clip.max_norm)


def squares_of_dense(comm: Comm, grads: torch.Tensor) -> float:
    """The sum of squares of Σ over the workers of grads (P,), which stay as they are."""
    piece = reduce_scatter(comm, grads.clone())
    return _summed(comm, float(piece.double().square().sum()))


def squares_of_rows(comm: Comm, sharded: Sequence) -> float:
    """The sum of squares of the gradients that the modules hold, those of equal rows of all workers summed."""
    own = 0.0
    for module in sharded:
        if module.over is not None:
            own += module.over.held_square()
        else:
            own += sum(_squares_of_owned(comm, *each) for each in _by_table(module))
    return _summed(comm, own)


def _by_table(module) -> list[tuple[np.ndarray, torch.Tensor]]:
    """(keys, gradients) of what is held, for every table of the module, also where nothing is."""
    found = []
    for fused in module.fused:
        mine = [(keys, grads) for keys, grads, table in module.held if table == fused.name]
        keys = [np.asarray(keys, np.int64) for keys, _ in mine]
        found.append((np.concatenate([np.empty(0, np.int64), *keys]),
                      torch.cat([torch.empty(0, fused.dim), *(grads for _, grads in mine)])))
    return found


def _squares_of_owned(comm: Comm, keys: np.ndarray, grads: torch.Tensor) -> float:
    """All workers send their rows of key k to worker k mod K; the squares of the sums of what this worker got."""
    owner = keys % comm.world_size
    places = [torch.from_numpy(np.flatnonzero(owner == rank)) for rank in range(comm.world_size)]
    keys_of = all_to_all(comm, [torch.from_numpy(keys)[place] for place in places])
    grads_of = all_to_all(comm, [grads[place] for place in places])
    distinct, inverse = torch.unique(torch.cat(keys_of), return_inverse=True)
    sums = torch.zeros(len(distinct), grads.shape[1]).index_add_(0, inverse, torch.cat(grads_of))
    return float(sums.double().square().sum())


def _summed(comm: Comm, number: float) -> float:
    total = torch.tensor([number], dtype=torch.float64)
    all_reduce(comm, total)
    return float(total)
