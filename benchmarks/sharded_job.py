"""The work of `pslab bench sharded`, as both sides do it: the same first rows, batches, loss and checks.

    rows of table i       uniform in ±0.1, from generator i
    batch s of rank r     one id for each table and bag: uniform, or Zipf(exponent) over ids in a shuffled order
    loss                  Σ output · W: the same weights W on both sides, whole numbers of 1/64
    checked               the sums of some outputs after the timed steps, which the rows of all steps went into

Only NumPy: TorchRec's processes import this file without pslab.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Job:
    """What is measured. ids: "uniform" or "zipf"; rule: "sgd" or "rowwise_adagrad"."""

    tables: int = 26
    rows: int = 100_000
    dim: int = 64
    batch: int = 2048
    ids: str = "uniform"
    exponent: float = 1.1
    rule: str = "sgd"
    lr: float = 0.5
    warm: int = 3
    steps: int = 10
    batches: int = 4

    def names(self) -> list[str]:
        """The tables, each the only one of a feature of its own name."""
        return [f"t{i}" for i in range(self.tables)]


def first_rows(job: Job, table: int) -> np.ndarray:
    """(R, D) float32."""
    rows = np.random.default_rng(table).random((job.rows, job.dim), np.float32)
    return (rows - np.float32(0.5)) * np.float32(0.2)


def ids_of(job: Job, rank: int, batch: int) -> np.ndarray:
    """(tables · B,) int64, feature-major: one id for each bag."""
    rng = np.random.default_rng([7, rank, batch])
    if job.ids == "uniform":
        return rng.integers(0, job.rows, job.tables * job.batch)
    shares = np.cumsum(np.arange(1, job.rows + 1, dtype=np.float64) ** -job.exponent)
    places = np.searchsorted(shares, rng.random(job.tables * job.batch) * shares[-1])
    return np.random.default_rng(3).permutation(job.rows)[np.minimum(places, job.rows - 1)]


def loss_weights(job: Job, rank: int) -> np.ndarray:
    """(B, tables · D) float32: what each output counts in the loss."""
    rng = np.random.default_rng([11, rank])
    return rng.integers(-8, 9, (job.batch, job.tables * job.dim)).astype(np.float32) / np.float32(64)


def check_sums(outputs: np.ndarray) -> list[float]:
    """What the two sides compare of outputs (B, tables · D): 26 sums over bags, and a single value of each table."""
    parts = outputs.astype(np.float64)
    return [*parts.sum(0)[::max(1, parts.shape[1] // 26)].tolist(), *parts[0, ::max(1, parts.shape[1] // 26)].tolist()]
