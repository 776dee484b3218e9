"""A click log held as tensors, and the batches that come out of it.

    ClickLog ── train ──┐   seeded shuffle, a new one each epoch
                        ├─> global batch 0 ── shard(0, K), shard(1, K), …      one piece per worker
                        ├─> global batch 1
                        └─> …                  what is left over at the end of an epoch is dropped

The order of the global batches depends on the seed and the batch size alone. Every strategy and every number of
workers K sees the same global batches, so that their losses can be compared step by step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pslab.data.jagged import KeyedJaggedTensor


@dataclass(frozen=True)
class FeatureSpec:
    """One sparse feature: ids in 0..num_embeddings - 1, the rows of a bag joined by "sum" or "mean"."""

    name: str
    num_embeddings: int
    pooling: str = "sum"

    def __post_init__(self):
        if self.num_embeddings < 1:
            raise ValueError(f"num_embeddings of {self.name!r} must be at least 1, got {self.num_embeddings}")
        if self.pooling not in ("sum", "mean"):
            raise ValueError(f"pooling of {self.name!r} must be 'sum' or 'mean', got {self.pooling!r}")


@dataclass(frozen=True, eq=False)
class Batch:
    """B rows: dense (B, Fd) float32, sparse (F features of B bags), labels (B,) float32, 1 for a click."""

    dense: Tensor
    sparse: KeyedJaggedTensor
    labels: Tensor

    def __post_init__(self):
        for name, dims in (("dense", 2), ("labels", 1)):
            given = getattr(self, name)
            tensor = torch.from_numpy(given) if isinstance(given, np.ndarray) else given
            if not isinstance(tensor, Tensor) or tensor.dtype != torch.float32 or tensor.dim() != dims:
                raise ValueError(f"{name} must be a float32 tensor of {dims} dimension(s), got {_told(given)}")
            object.__setattr__(self, name, tensor)
        rows = {"dense": len(self.dense), "sparse": self.sparse.stride, "labels": len(self.labels)}
        if len(set(rows.values())) > 1:
            raise ValueError(f"dense, sparse and labels need the same number of rows, got {rows}")

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, lo: int, hi: int) -> "Batch":
        """Rows lo ≤ row < hi; dense and labels are views."""
        return Batch(self.dense[lo:hi], self.sparse.rows(lo, hi), self.labels[lo:hi])

    def take(self, rows) -> "Batch":
        """The given rows in the given order; rows (n,) int64."""
        sparse = self.sparse.take(rows)  # refuses rows out of range
        rows = torch.as_tensor(rows, dtype=torch.int64)
        return Batch(self.dense[rows], sparse, self.labels[rows])

    def shard(self, rank: int, world_size: int) -> "Batch":
        """Piece `rank` of `world_size` contiguous pieces, cut as torch.tensor_split cuts.

        The first B mod K pieces hold one row more; with more workers than rows the last pieces are empty.
        """
        if world_size < 1 or not 0 <= rank < world_size:
            raise ValueError(f"shard(rank={rank}, world_size={world_size}): need 0 <= rank < world_size")
        base, extra = divmod(len(self), world_size)
        lo = rank * base + min(rank, extra)
        return self.rows(lo, lo + base + (rank < extra))


def concat_batches(batches: Sequence[Batch]) -> Batch:
    """The rows of all batches under one another."""
    batches = list(batches)
    if not batches:
        raise ValueError("batches is empty: give at least one Batch")
    widths = sorted({batch.dense.shape[1] for batch in batches})
    if len(widths) > 1:
        raise ValueError(f"batches must agree in the number of dense features, got {widths}")
    return Batch(
        torch.cat([batch.dense for batch in batches]),
        KeyedJaggedTensor.concat_batches([batch.sparse for batch in batches]),
        torch.cat([batch.labels for batch in batches]),
    )


@dataclass(frozen=True, eq=False)
class ClickLog:
    """A data set: train and test rows, what its features are, and where it came from.

    features: one FeatureSpec per key of the sparse part, in the order of the keys.
    note: a sentence for the reader. best_auc, best_log_loss: the best that any model can reach on the test part, where
    that is known (a synthetic log with a planted teacher), else None.
    """

    name: str
    train: Batch
    test: Batch
    features: list[FeatureSpec]
    note: str = ""
    best_auc: float | None = None
    best_log_loss: float | None = None

    def __post_init__(self):
        names = [feature.name for feature in self.features]
        for part, batch in (("train", self.train), ("test", self.test)):
            if batch.sparse.keys != names:
                raise ValueError(f"features are {names}, but the keys of {part} are {batch.sparse.keys}")
            for feature in self.features:
                ids = batch.sparse[feature.name].values
                if len(ids) and int(ids.max()) >= feature.num_embeddings:
                    raise ValueError(
                        f"{part}: id {int(ids.max())} of feature {feature.name!r} is out of range: "
                        f"it has {feature.num_embeddings} rows, ids 0..{feature.num_embeddings - 1}"
                    )
        if self.train.dense.shape[1] != self.test.dense.shape[1]:
            raise ValueError(
                f"train has {self.train.dense.shape[1]} dense features, test has {self.test.dense.shape[1]}"
            )

    @property
    def num_dense(self) -> int:
        """Fd: the number of dense features."""
        return self.train.dense.shape[1]

    def batches(self, batch_size: int, seed: int = 0, steps: int | None = None) -> Iterator[Batch]:
        """Global batches of `batch_size` rows in a seeded order, reshuffled each epoch.

        steps: how many batches; None means one epoch. The last partial batch of an epoch is dropped. The order depends
        on seed, epoch, batch_size and the number of rows, on nothing else.
        """
        rows = len(self.train)
        if not 1 <= batch_size <= rows:
            raise ValueError(f"batch_size={batch_size}: must lie in 1..{rows}, the rows of the train part")
        if steps is not None and steps < 0:
            raise ValueError(f"steps={steps}: must be 0 or more, or None for one epoch")
        return self._batches(batch_size, seed, rows // batch_size if steps is None else steps)

    def _batches(self, batch_size: int, seed: int, steps: int) -> Iterator[Batch]:
        per_epoch = len(self.train) // batch_size
        for step in range(steps):
            epoch, place = divmod(step, per_epoch)
            if place == 0:
                order = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(len(self.train))
            yield self.train.take(order[place * batch_size : (place + 1) * batch_size])

    def __repr__(self) -> str:
        names = ", ".join(f"{feature.name}({feature.num_embeddings})" for feature in self.features)
        return f"ClickLog({self.name}: {len(self.train)} + {len(self.test)} rows, {self.num_dense} dense, {names})"


def _told(given) -> str:
    if isinstance(given, Tensor | np.ndarray):
        return f"{str(given.dtype).removeprefix('torch.')} of shape {tuple(given.shape)}"
    return type(given).__name__
