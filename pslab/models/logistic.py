"""Sparse logistic regression: a weight for every feature, and a batch that touches few of them.

    batch      columns 3 11 4 3     keys    0 3 4 11          0 is the bias, a feature of 1 in every row
                                    weights (u, 1)            pulled, one row of width 1 a key

    score      z_i = w_0 + Σ_j x_ij w_j         p_i = σ(z_i)
    loss       −ln p_i for label 1, −ln(1 − p_i) for label 0
    gradient   ∂/∂w_j = Σ_i (p_i − y_i) x_ij    *summed* over the rows: sums of parts of a batch add up to the batch's
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BIAS = 0


class SparseBatch(NamedTuple):
    """Rows by key: keys (u,) ascending; place (nnz,) of each value among them; row (nnz,); values (nnz,); labels."""

    keys: np.ndarray
    place: np.ndarray
    row: np.ndarray
    values: np.ndarray
    labels: np.ndarray


def sparse_batch(rows) -> SparseBatch:
    """Rows of pslab.data.SparseRows (feature numbers from 1) with the bias as key 0."""
    n = len(rows)
    columns = np.concatenate([np.full(n, BIAS, np.int64), rows.columns])
    keys, place = np.unique(columns, return_inverse=True)
    values = np.concatenate([np.ones(n, np.float32), rows.values])
    return SparseBatch(keys, place.reshape(-1), np.concatenate([np.arange(n), rows.row_of]), values, rows.labels)


def logistic_scores(weights: np.ndarray, batch: SparseBatch) -> np.ndarray:
    """z of each row, (n,) float32; weights (u, 1) of the batch's keys, in their order."""
    terms = weights[:, 0][batch.place] * batch.values
    return np.bincount(batch.row, terms, len(batch.labels)).astype(np.float32)


def logistic_step(weights: np.ndarray, batch: SparseBatch) -> tuple[float, np.ndarray]:
    """(sum of the rows' losses in nats, gradient of that sum, (u, 1) float32 in the order of the batch's keys)."""
    z, y = logistic_scores(weights, batch).astype(np.float64), batch.labels
    loss = float(np.sum(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))))
    miss = sigmoid(z) - y
    gradient = np.bincount(batch.place, miss[batch.row] * batch.values, len(batch.keys))
    return loss, gradient.astype(np.float32)[:, None]


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + e^−z), without overflow at either end."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, small) / (1 + small)


def logistic_accuracy(weights: np.ndarray, rows) -> float:
    """Share of rows whose label is the likelier one; weights (features + 1, 1) of all keys, rows as in sparse_batch."""
    terms = weights[rows.columns, 0] * rows.values
    z = weights[BIAS, 0] + np.bincount(rows.row_of, terms, len(rows))
    return float(np.mean((z > 0) == (rows.labels > 0.5)))
