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

DEFAULT_TABLES = (800, 600, 400, 200, 100, 50)  # rows of each table; small ids are not the popular ones
BAG = 4  # the last feature is a bag of 1..BAG ids, joined by their mean; all others hold one id


def synthetic_click_log(
    seed: int = 0,
    train_rows: int = 60_000,
    test_rows: int = 15_000,
    tables: Sequence[int] = DEFAULT_TABLES,
    num_dense: int = 4,
    zipf: float = 1.05,
    noise: float = 0.0,
    teacher_dim: int = 4,
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
    ids = [_zipf_ids(rng, size, int(count.sum()), zipf) for size, count in zip(tables, lengths)]

    logits = _teacher_logits(rng, tables, dense, ids, lengths, teacher_dim)
    probability = noise * 0.5 + (1 - noise) / (1 + np.exp(-logits))
    labels = (rng.random(rows) < probability).astype(np.float32)

    features = [FeatureSpec(f"table{i}", size) for i, size in enumerate(tables)]
    features[-1] = FeatureSpec("bag", tables[-1], "mean")
    whole = Batch(
        torch.from_numpy(dense.astype(np.float32)),
        KeyedJaggedTensor([f.name for f in features], np.concatenate(ids), np.concatenate(lengths)),
        torch.from_numpy(labels),
    )
    return ClickLog(
        name="synthetic",
        train=whole.rows(0, train_rows),
        test=whole.rows(train_rows, rows),
        features=features,
        note=f"made here from seed {seed}: Zipf({zipf:g}) ids, labels from a planted DLRM",
    )


def _zipf_ids(rng: np.random.Generator, size: int, count: int, zipf: float) -> np.ndarray:
    """`count` ids in 0..size-1 whose popularity falls as rank^-zipf; which id is popular is drawn too."""
    weights = np.arange(1, size + 1, dtype=np.float64) ** -zipf
    cumulative = np.cumsum(weights / weights.sum())
    ranks = np.minimum(np.searchsorted(cumulative, rng.random(count), side="right"), size - 1)
    return rng.permutation(size)[ranks]


def _teacher_logits(rng, tables, dense, ids, lengths, dim: int) -> np.ndarray:
    """The planted model: biases, a linear dense part, and the dots of all pairs of pooled rows and dense vector."""
    vectors, bias = [], np.zeros(len(dense))
    for size, bag_ids, counts in zip(tables, ids, lengths):
        table, table_bias = rng.standard_normal((size, dim)), rng.standard_normal(size)
        starts = np.cumsum(counts) - counts
        vectors.append(np.add.reduceat(table[bag_ids], starts) / counts[:, None])
        bias += np.add.reduceat(table_bias[bag_ids], starts) / counts
    if dense.shape[1]:
        weights = rng.standard_normal((dense.shape[1], dim)) / np.sqrt(dense.shape[1])
        vectors.append(np.einsum("bi,id->bd", dense, weights))
        bias += np.einsum("bi,i->b", dense, rng.standard_normal(dense.shape[1]))
    pairs = np.zeros(len(dense))
    for i, left in enumerate(vectors):
        for right in vectors[i + 1 :]:
            pairs += np.einsum("bd,bd->b", left, right)
    pairs /= max(1.0, np.sqrt(dim * len(vectors) * (len(vectors) - 1) / 2))
    return 0.8 * bias / np.sqrt(len(tables)) + 0.8 * pairs - 0.5
