"""6.1 and 6.2: problems in bags, what is right of them in float64, and what the usual slips compute.

    ids      4  1 │ 4 │   │ 2  2  0          M (B, L): entry (b, j) is what look-up j counts in bag b
    offsets  0      2   3  3         6
    forward   M · table[ids]                 backward   the rows of Mᵀ · grad_out, added up by id

M is written out whole, which no answer may do: it is the reference because nothing can go wrong in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch


@dataclass(frozen=True)
class Bags:
    """table (R, D), ids (L,) int64, offsets (B + 1,) int64 from 0 to L, weights (L,) or None, mode 'sum' or 'mean'."""

    table: np.ndarray
    ids: np.ndarray
    offsets: np.ndarray
    weights: np.ndarray | None = None
    mode: str = "sum"

    @property
    def B(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    @property
    def bag_of(self) -> np.ndarray:
        """(L,): the bag of each look-up."""
        return np.repeat(np.arange(self.B), self.lengths)

    def __str__(self) -> str:
        weights = "" if self.weights is None else ", weights"
        return f"{self.mode}{weights}, {len(self.ids)} look-ups in {self.B} bags"

    def forward_arguments(self) -> tuple:
        return (torch.from_numpy(self.table.copy()), torch.from_numpy(self.ids.copy()),
                torch.from_numpy(self.offsets.copy()), self._weights(), self.mode)

    def backward_arguments(self, grad_out: np.ndarray) -> tuple:
        return (torch.from_numpy(grad_out.copy()), torch.from_numpy(self.ids.copy()),
                torch.from_numpy(self.offsets.copy()), self._weights(), self.mode)

    def _weights(self):
        return None if self.weights is None else torch.from_numpy(self.weights.copy())


def by_hand(mode: str = "sum") -> Bags:
    """The one of the notebook: five rows, four bags, the third one empty."""
    table = np.array([[1, 10], [2, 20], [3, 30], [4, 40], [5, 50]], np.float32)
    return Bags(table, np.array([4, 1, 4, 2, 2, 0]), np.array([0, 2, 3, 3, 6]), None, mode)


def bags(rng, lengths, R: int = 30, D: int = 3, mode: str = "sum", weights: bool = False, dtype=np.float32,
         ids=None) -> Bags:
    """Bags of these lengths. Ids repeat, within bags and across. Values are small, so that float32 is enough."""
    lengths = np.asarray(lengths, dtype=np.int64)
    L = int(lengths.sum())
    if ids is None:
        ids = rng.integers(0, R, L)
        if L > 5:
            ids[1], ids[-1] = ids[0], ids[0]                          # twice in the first bag that has room, and later
    table = rng.standard_normal((R, D)).astype(dtype)
    drawn = (0.5 + rng.random(L)).astype(dtype) if weights else None
    return Bags(table, ids.astype(np.int64), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), drawn, mode)


def varied(rng, mode: str, weights: bool = False, empty: bool = False, **how) -> Bags:
    """Some eight bags of one to six look-ups, longest and shortest apart; empty: none in the first, middle and last."""
    lengths = np.concatenate([[3], rng.integers(1, 7, int(rng.integers(4, 8))), [5, 1, 2]])
    if empty:
        lengths = np.concatenate([[0], lengths[:3], [0, 0], lengths[3:], [0]])
    return bags(rng, lengths, mode=mode, weights=weights, **how)


# ---- what is right --------------------------------------------------------------------------------------------------


def mixing(b: Bags, slip: str = "") -> np.ndarray:
    """(B, L) float64: what each look-up counts in each bag, in the right way or with a slip."""
    at, n = b.bag_of, b.lengths
    M = np.zeros((b.B, len(b.ids)))
    places = np.arange(len(b.ids))
    weights = np.ones(len(b.ids)) if b.weights is None or slip == "weights" else b.weights.astype(np.float64)
    M[at, places] = weights
    if slip == "bag-before":                                          # a bag's first look-up goes to the bag before it
        M[:] = 0
        M[np.maximum(np.searchsorted(b.offsets, places, side="left") - 1, 0), places] = weights
    if slip == "end-included":
        for bag, end in enumerate(b.offsets[1:]):
            if end < len(b.ids):
                M[bag, end] += weights[end]
    if slip == "empty-borrows" and len(b.ids):
        for bag in np.flatnonzero(n == 0):
            M[bag, min(b.offsets[bag], len(b.ids) - 1)] = 1
    if slip == "once":
        for bag in range(b.B):
            mine = places[at == bag]
            _, first = np.unique(b.ids[mine], return_index=True)
            M[bag, np.delete(mine, first)] = 0
    if slip == "last-bag":
        M[np.flatnonzero(n)[-1:]] = 0
    divide = (b.mode == "mean") != (slip == "other-mode")
    if slip == "undivided":
        divide = False
    if divide:
        count = np.maximum(n, 1).astype(np.float64)
        if slip == "by-weights":
            count = np.maximum(M.sum(1), 1e-300)
        if slip == "padded":
            count[:] = max(n.max(initial=0), 1)
        if slip == "batch":
            count[:] = b.B
        M = M / count[:, None]
    return M


def forward(b: Bags, slip: str = "") -> np.ndarray:
    """(B, D) float64."""
    return mixing(b, slip) @ b.table[b.ids].astype(np.float64)


def backward(b: Bags, grad_out: np.ndarray, slip: str = "") -> tuple[np.ndarray, np.ndarray]:
    """(ids (u,) ascending, rows (u, D) float64)."""
    each = mixing(b, slip).T @ grad_out.astype(np.float64)            # (L, D): a gradient for each look-up
    unique = np.unique(b.ids)
    picks = (unique[:, None] == b.ids[None, :]).astype(np.float64)    # (u, L)
    if slip in ("last-wins", "first-wins"):
        order = np.arange(len(b.ids)) * (1 if slip == "last-wins" else -1)
        picks[:] = 0
        for at, one in enumerate(unique):
            mine = np.flatnonzero(b.ids == one)
            picks[at, mine[np.argmax(order[mine])]] = 1
    if slip == "averaged":
        picks = picks / picks.sum(1, keepdims=True)
    return unique, picks @ each


def by_differences(b: Bags, grad_out: np.ndarray, h: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """The same from the forward pass alone: how much the loss Σ grad_out · forward changes when one number of a table
    changes. The loss is linear in the table, so that a difference quotient is exact but for rounding."""
    unique = np.unique(b.ids)
    rows = np.zeros((len(unique), b.table.shape[1]))
    for at, one in enumerate(unique):
        for d in range(b.table.shape[1]):
            losses = []
            for step in (h, -h):
                table = b.table.astype(np.float64)
                table[one, d] += step
                losses.append((grad_out * forward(replace(b, table=table))).sum())
            rows[at, d] = (losses[0] - losses[1]) / (2 * h)
    return unique, rows
