"""9.3 (11.9.3): the sparse combine and the dense one; the problems, what is right, and what the usual slips compute.

    combine_sparse   K workers and one server, rank K, which alone holds the table (V, D)
        worker k: ids (L,), grads (L, D), a gradient for each look-up    ── unique ids, a summed row each ──▶ server
                  gets the updated rows of its ids                       ◀── rows ──────────────────────────
    combine_dense    K workers, each with the whole table
        everyone adds up arrays of the table's size; everyone ends with the updated table

    both:  row ← row − (sum over all workers of its gradients) / K
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

ITEM_BYTES, KEY_BYTES = 4, 8


@dataclass(frozen=True)
class Problem:
    """table (V, D) float32; for each of K workers ids (L_k,) int64 and grads (L_k, D) float32."""

    table: np.ndarray
    ids: tuple[np.ndarray, ...]
    grads: tuple[np.ndarray, ...]

    @property
    def K(self) -> int:
        return len(self.ids)

    @property
    def V(self) -> int:
        return len(self.table)

    @property
    def D(self) -> int:
        return self.table.shape[1]

    @property
    def unique(self) -> tuple[int, ...]:
        """Rows that each worker touches."""
        return tuple(len(np.unique(ids)) for ids in self.ids)

    def sparse_ranks(self) -> list[tuple]:
        """Arguments (ids, grads, table) by rank: K workers, then the server."""
        workers = [(torch.from_numpy(i.copy()), torch.from_numpy(g.copy()), None) for i, g in zip(self.ids, self.grads)]
        return [*workers, (None, None, torch.from_numpy(self.table.copy()))]

    def dense_ranks(self) -> list[tuple]:
        """Arguments (ids, grads, table) by rank: K workers with a copy each."""
        return [(torch.from_numpy(i.copy()), torch.from_numpy(g.copy()), torch.from_numpy(self.table.copy()))
                for i, g in zip(self.ids, self.grads)]


def problem(rng, K: int, V: int, D: int, looks: int = 6, twice: bool = False, empty: bool = False,
            whole: bool = True) -> Problem:
    """K workers with about `looks` look-ups each, some rows of which are everybody's.

    Whole numbers: element j of worker r is (j·K + r)·K, so that dividing by K leaves whole numbers, exact in any order.
    twice: ids come repeatedly and in any order. empty: the first worker has none. whole=False: ordinary floats.
    """
    shared = rng.permutation(V)[: max(1, looks // 3)]
    ids, grads = [], []
    for rank in range(K):
        others = rng.permutation(np.setdiff1d(np.arange(V), shared))[: max(0, looks - len(shared) + rank % 2)]
        mine = np.concatenate([shared[: max(1, len(shared) - rank % 3)], others])
        if twice:
            mine = np.concatenate([mine, mine[: max(1, len(mine) // 2)], mine[:1]])
        mine = rng.permutation(mine)[: 0 if empty and rank == 0 else None].astype(np.int64)
        steps = np.arange(len(mine) * D).reshape(len(mine), D)
        values = (steps * K + rank + 1) * K if whole else rng.standard_normal((len(mine), D))
        ids.append(mine)
        grads.append(values.astype(np.float32))
    table = rng.integers(-500, 500, (V, D)) if whole else rng.standard_normal((V, D))
    return Problem(table.astype(np.float32), tuple(ids), tuple(grads))


def by_hand() -> Problem:
    """Two workers, four rows, one of which both touch: small enough to do on paper."""
    return Problem(np.array([[10, 10], [20, 20], [30, 30], [40, 40]], np.float32),
                   (np.array([1, 3]), np.array([1])),
                   (np.array([[2, 4], [6, 8]], np.float32), np.array([[10, 20]], np.float32)))


def taller(p: Problem, times: int) -> Problem:
    """The same look-ups in a table of `times` as many rows."""
    more = np.full(((times - 1) * p.V, p.D), 7, np.float32)
    return Problem(np.concatenate([p.table, more]), p.ids, p.grads)


def updated(p: Problem) -> np.ndarray:
    """The table after the step. The reference, in float64 where that matters."""
    return (p.table - summed(p) / p.K).astype(np.float32)


def summed(p: Problem) -> np.ndarray:
    """(V, D): all gradients of each row, over workers and look-ups."""
    total = np.zeros(p.table.shape)
    for ids, grads in zip(p.ids, p.grads):
        np.add.at(total, ids, grads)
    return total


# ---- what the usual slips compute -----------------------------------------------------------------------------------


def _workers_touching(p: Problem) -> np.ndarray:
    count = np.zeros((p.V, 1))
    for ids in p.ids:
        count[np.unique(ids)] += 1
    return np.maximum(count, 1)


def _looks_touching(p: Problem) -> np.ndarray:
    count = np.zeros((p.V, 1))
    for ids in p.ids:
        np.add.at(count, ids, 1)
    return np.maximum(count, 1)


def _last_writer(p: Problem, backwards: bool = False) -> np.ndarray:
    last = np.zeros(p.table.shape)
    for ids, grads in list(zip(p.ids, p.grads))[:: -1 if backwards else 1]:
        mine = np.zeros(p.table.shape)
        np.add.at(mine, ids, grads)
        last[ids] = mine[ids]
    return last


def _one_of_each(p: Problem, keep_first: bool) -> np.ndarray:
    total = np.zeros(p.table.shape)
    for ids, grads in zip(p.ids, p.grads):
        order = slice(None, None, -1 if keep_first else 1)
        mine = np.zeros(p.table.shape)
        mine[ids[order]] = grads[order]
        total += mine
    return total


def _mean_of_each(p: Problem) -> np.ndarray:
    total = np.zeros(p.table.shape)
    for ids, grads in zip(p.ids, p.grads):
        mine, count = np.zeros(p.table.shape), np.zeros((p.V, 1))
        np.add.at(mine, ids, grads)
        np.add.at(count, ids, 1)
        total += mine / np.maximum(count, 1)
    return total


def _rows_in_order_of_ids(p: Problem) -> np.ndarray:
    total = np.zeros(p.table.shape)
    for ids, grads in zip(p.ids, p.grads):
        np.add.at(total, np.sort(ids), grads)
    return total


STEPS = (  # (misconception, the step it takes instead of summed(p) / K)
    ("9/mean-over-touching", lambda p: summed(p) / _workers_touching(p)),
    ("9/no-division", summed),
    ("9/divided-twice", lambda p: summed(p) / p.K**2),
    ("9/server-is-no-worker", lambda p: summed(p) / (p.K + 1)),
    ("9/server-is-no-worker", lambda p: summed(p) / max(p.K - 1, 1)),
    ("9/duplicates-lost", lambda p: _one_of_each(p, False) / p.K),
    ("9/duplicates-lost", lambda p: _one_of_each(p, True) / p.K),
    ("9/mean-over-lookups", lambda p: summed(p) / _looks_touching(p)),
    ("9/mean-over-lookups", lambda p: _mean_of_each(p) / p.K),
    ("9/last-writer-wins", lambda p: _last_writer(p)),
    ("9/last-writer-wins", lambda p: _last_writer(p) / p.K),
    ("9/last-writer-wins", lambda p: _last_writer(p, True)),
    ("9/last-writer-wins", lambda p: _last_writer(p, True) / p.K),
    ("9/ids-in-order", lambda p: _rows_in_order_of_ids(p) / p.K),
    ("9/uphill", lambda p: -summed(p) / p.K),
    ("9/constant-k", lambda p: summed(p) / 2),
    ("9/constant-k", lambda p: summed(p) / 3),
    ("9/constant-k", lambda p: summed(p) / 4),
    ("9/no-update", lambda p: 0 * summed(p)),
)


def slip(p: Problem, table: np.ndarray) -> str:
    """The misconception whose step gives this table; '9/wrong-table' when none does."""
    right = updated(p)
    for name, step in STEPS:
        slipped = p.table - step(p)
        if np.allclose(table, slipped, rtol=1e-5, atol=1e-4) and not np.allclose(slipped, right, rtol=1e-5, atol=1e-4):
            return name
    return "9/wrong-table"
