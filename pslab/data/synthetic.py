"""A click log made of nothing, whose best reachable AUC is known.

A small DLRM with random weights, the *teacher*, says for every row how likely a click is; a coin with that bias makes
the label. Nobody can rank the rows better than the teacher's own probabilities do, so their AUC and log loss on the
test part are the ceiling for every learner.

    ids ~ Zipf ── embeddings ──┐
                               ├─ all pairs dotted ─┐
    dense ~ N(0, 1) ─ linear ──┘                    ├─ logit ─ sigmoid ─ p ── coin ── label
    bias of every id, weight of every dense ────────┘
"""

from collections.abc import Sequence

import numpy as np
import torch

from pslab.data.clicklog import Batch, ClickLog, FeatureSpec
from pslab.data.jagged import KeyedJaggedTensor
from pslab.data.metrics import auc

DEFAULT_TABLES = (8_000, 2_000, 400, 50, 20)  # rows of each table
BAG = 4  # the last feature is a bag of 1..BAG ids, joined by their mean; all others hold one id
BIAS_DEVIATION, PAIR_DEVIATION, MEAN_LOGIT = 1.5, 1.2, -0.6  # of the teacher's logits over all rows
LOUD_RANKS = 20  # the id of popularity rank k speaks with loudness 1 / (1 + k / LOUD_RANKS)


def synthetic_click_log(
    seed: int = 0,
    train_rows: int = 150_000,
    test_rows: int = 20_000,
    tables: Sequence[int] = DEFAULT_TABLES,
    num_dense: int = 4,
    zipf: float = 1.05,
    noise: float = 0.0,
    teacher_dim: int = 2,
) -> ClickLog:
    """A ClickLog of train_rows + test_rows rows with a planted teacher; the same seed gives the same log.

    tables: rows of each embedding table; the last feature ("bag") holds 1..4 ids, the others one.
    zipf: exponent a of the popularity of ids, P(rank k) ∝ k^-a; 0 is uniform.
    noise: the share of rows whose label is a fair coin instead of the teacher's word, 0..1: it lowers the best AUC.
    teacher_dim: D of the teacher's embeddings.
    """
    for name, value in (("train_rows", train_rows), ("test_rows", test_rows), ("teacher_dim", teacher_dim)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if not tables or min(tables) < 1:
        raise ValueError(f"tables must name at least one table, each of 1 row or more, got {list(tables)}")
    if num_dense < 0:
        raise ValueError(f"num_dense must be 0 or more, got {num_dense}")
    if not zipf >= 0:
        raise ValueError(f"zipf must be 0 or more, got {zipf}")
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must lie in 0..1, got {noise}")

    rng = np.random.Generator(np.random.PCG64(seed))
    rows = train_rows + test_rows
    dense = rng.standard_normal((rows, num_dense))
    lengths = [np.ones(rows, dtype=np.int64) for _ in tables]
    lengths[-1] = rng.integers(1, BAG + 1, size=rows)
    ranks = [_zipf_ranks(rng, size, int(count.sum()), zipf) for size, count in zip(tables, lengths)]
    ids = [rng.permutation(size)[rank] for size, rank in zip(tables, ranks)]  # id 0 is not the most popular one

    logits = _teacher_logits(rng, tables, dense, ranks, lengths, teacher_dim)
    probability = noise * 0.5 + (1 - noise) / (1 + np.exp(-logits))
    labels = (rng.random(rows) < probability).astype(np.float32)
    best_auc, best_log_loss = _ceiling(labels[train_rows:], probability[train_rows:])

    names = [*(f"table{i}" for i in range(len(tables) - 1)), "bag"]
    whole = Batch(
        torch.from_numpy(dense.astype(np.float32)),
        KeyedJaggedTensor(names, np.concatenate(ids), np.concatenate(lengths)),
        torch.from_numpy(labels),
    )
    return ClickLog(
        name="synthetic",
        train=whole.rows(0, train_rows),
        test=whole.rows(train_rows, rows),
        features=[FeatureSpec(*spec, "mean" if spec[0] == "bag" else "sum") for spec in zip(names, tables)],
        note=f"synthetic log made from seed {seed}: Zipf({zipf:g}) ids, labels drawn by a planted DLRM",
        best_auc=best_auc,
        best_log_loss=best_log_loss,
    )


def _zipf_ranks(rng: np.random.Generator, size: int, count: int, zipf: float) -> np.ndarray:
    """`count` popularity ranks in 0..size-1, P(rank k) ∝ (k + 1)^-zipf, by inverting the cumulative sum."""
    weights = np.arange(1, size + 1, dtype=np.float64) ** -zipf
    cumulative = np.cumsum(weights / weights.sum())
    return np.minimum(np.searchsorted(cumulative, rng.random(count), side="right"), size - 1)


def _teacher_logits(rng, tables, dense, ranks, lengths, dim: int) -> np.ndarray:
    """(rows,) logits of the planted model: what the ids and dense features say alone, and what their pairs say.

    Rows of rare ids are drawn small: what is seen too seldom to be learned should not decide much either. einsum and
    not a matrix product, because BLAS libraries add up in different orders.
    """
    alone, vectors = np.zeros(len(dense)), []
    for size, rank, counts in zip(tables, ranks, lengths):
        loudness = 1 / (1 + np.arange(size) / LOUD_RANKS)
        rows, biases = rng.standard_normal((size, dim)) * loudness[:, None], rng.standard_normal(size) * loudness
        starts = np.cumsum(counts) - counts
        vectors.append(np.add.reduceat(rows[rank], starts) / counts[:, None])
        alone += np.add.reduceat(biases[rank], starts) / counts
    if dense.shape[1]:
        vectors.append(np.einsum("bi,id->bd", dense, rng.standard_normal((dense.shape[1], dim))))
        vectors[-1] /= np.sqrt(dense.shape[1])
        alone += np.einsum("bi,i->b", dense, rng.standard_normal(dense.shape[1]))
    pairs = np.zeros(len(dense))
    for i, left in enumerate(vectors):
        for right in vectors[i + 1 :]:
            pairs += np.einsum("bd,bd->b", left, right)
    return BIAS_DEVIATION * _standardised(alone) + PAIR_DEVIATION * _standardised(pairs) + MEAN_LOGIT


def _standardised(values: np.ndarray) -> np.ndarray:
    deviation = values.std()
    return (values - values.mean()) / (deviation if deviation > 0 else 1.0)


def _ceiling(labels: np.ndarray, probability: np.ndarray) -> tuple[float | None, float]:
    """AUC (None where the labels are all alike) and log loss of the true probabilities."""
    loss = float(-np.mean(np.where(labels == 1, np.log(probability), np.log1p(-probability))))
    return (auc(labels, probability) if 0 < labels.sum() < len(labels) else None), loss
