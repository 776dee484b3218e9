"""The two models of the practical result, as programs over a RowExchange: nothing in them knows what a design saves.

    Ratings     a row a user, a row an item, in one table        factorisation, MovieLens-100K split u1
    Clicks      26 tables under one another, in one              DLRM; its dense part by a ring all-reduce
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from pslab.collectives import all_reduce
from pslab.cost import ring_all_reduce
from pslab.data import (
    ClickLog,
    KeyedJaggedTensor,
    MissingData,
    RatingData,
    auc,
    criteo_click_log,
    rating_data,
    share_of,
    synthetic_click_log,
)
from pslab.embedding import EmbeddingBagConfig, RowExchange
from pslab.models import DLRM, factorisation_step, guesses, rmse
from pslab.ps import AdaGrad


@dataclass(frozen=True)
class Setting:
    """Sizes of a run. dim: D of a row. cache_share: of all rows, those that a worker may keep. staleness: s."""

    dim: int = 16
    batch: int = 100
    epochs: int = 1
    workers: int = 2
    cache_share: float = 0.1
    staleness: int = 4

    def __post_init__(self):
        for argument, low in (("dim", 2), ("batch", 1), ("epochs", 1), ("workers", 1), ("staleness", 0)):
            value = getattr(self, argument)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ValueError(f"{argument}={value!r}; a whole number from {low} is needed")
        if not 0 < self.cache_share <= 1:
            raise ValueError(f"cache_share={self.cache_share!r}; a share above 0, up to 1, is needed")

    def exchange(self, design: str, rows: int) -> dict:
        """What a design is, as arguments of RowExchange."""
        cached = design in ("+ cache", "all of it")
        return {"dedup": design != "plain", "wire": "int8" if design in ("+ int8 wire", "all of it") else "fp32",
                "cache_rows": max(1, round(self.cache_share * rows)) if cached else 0,
                "staleness": self.staleness if cached else 0}


class _Task:
    """What both share: the order of the batches, and a worker's part of each."""

    setting: Setting
    train_rows: int

    @property
    def steps(self) -> int:
        return self.setting.epochs * (self.train_rows // self.setting.batch)

    def parts(self, rank: int, seed: int):
        """Numbers of the examples of a worker's parts; what is left over at the end of an epoch is dropped."""
        batch = self.setting.batch
        for epoch in range(self.setting.epochs):
            order = np.random.default_rng([seed, epoch]).permutation(self.train_rows)
            for first in range(0, self.train_rows - batch + 1, batch):
                yield order[first:first + batch][slice(*share_of(batch, rank, self.setting.workers))]


class Ratings(_Task):
    """RMSE of ratings guessed by biases and factors; column 0 of a row is the bias."""

    metric, higher_is_better, dense_bytes = "RMSE", False, 0

    def __init__(self, data: RatingData | None, setting: Setting | None):
        self.setting = Setting(batch=2000, epochs=3) if setting is None else setting
        self.data = rating_data() if data is None else data
        self.note, self.train_rows = self.data.note, len(self.data.train)
        self.num_rows = self.data.users + self.data.items
        self.mean = float(self.data.train.values.mean())
        _check_batch(self)

    def program(self, comm, design: str, seed: int):
        """(rows of this rank, None)."""
        rows = np.random.default_rng([seed, 3]).uniform(-0.1, 0.1, (self.num_rows, self.setting.dim))
        rows[:, 0] = 0
        table = RowExchange(comm, rows, AdaGrad(0.15), **self.setting.exchange(design, self.num_rows))
        for part in self.parts(comm.rank, seed):
            ratings = self.data.train[part]
            n, each = len(ratings), np.arange(len(ratings))
            ids = np.concatenate([ratings.users, ratings.items + self.data.users])
            pulled = table.pull(ids)
            _, *grads = factorisation_step(pulled[:n], pulled[n:], each, each, ratings.values, self.mean, 0.1)
            table.push(ids, np.concatenate(grads))
            table.next_round()
        return table.own, None

    def score(self, rows: np.ndarray, dense) -> float:
        test = self.data.test
        return rmse(guesses(rows[test.users], rows[test.items + self.data.users], self.mean), test.values)


class Clicks(_Task):
    """AUC of clicks guessed by a DLRM of one id a feature."""

    metric, higher_is_better = "AUC", True

    def __init__(self, log: ClickLog | None, setting: Setting | None):
        self.setting = Setting(batch=50, epochs=1) if setting is None else setting
        self.log = _criteo() if log is None else log
        self.note, self.train_rows = self.log.note, len(self.log.train)
        for part in (self.log.train, self.log.test):
            if not all(bool((part.sparse[spec.name].lengths == 1).all()) for spec in self.log.features):
                raise ValueError("source: one id a row in every feature is needed, and this log has bags")
        self.first = np.cumsum([0, *(spec.num_embeddings for spec in self.log.features)])
        self.num_rows = int(self.first[-1])
        _check_batch(self)

    @property
    def dense_bytes(self) -> int:
        """What the all-reduce of the dense part moves in a run: the same in every design, and left out."""
        elements = sum(parameter.numel() for parameter in self.model(0).dense_parameters())
        return self.steps * ring_all_reduce(elements, self.setting.workers).total

    def model(self, seed: int, rows: torch.Tensor | None = None) -> DLRM:
        tables = [EmbeddingBagConfig(spec.num_embeddings, self.setting.dim, spec.name, [spec.name])
                  for spec in self.log.features]
        bags = _OneIdBags(self.first, rows)
        return DLRM(self.log.num_dense, tables, (32, self.setting.dim), (32, 1), seed, bags)

    def program(self, comm, design: str, seed: int):
        """(rows of this rank, dense parameters)."""
        rows = np.random.default_rng([seed, 4]).uniform(-0.05, 0.05, (self.num_rows, self.setting.dim))
        table = RowExchange(comm, rows, AdaGrad(0.02), **self.setting.exchange(design, self.num_rows))
        model = self.model(seed)
        dense = model.dense_parameters()
        optimizer = torch.optim.Adagrad(dense, lr=0.02)
        for part in self.parts(comm.rank, seed):
            batch = self.log.train.take(part)
            ids = model.embeddings.ids(batch.sparse)
            pulled = torch.from_numpy(table.pull(ids.reshape(-1).numpy())).requires_grad_()
            model.embeddings.given = pulled.view(*ids.shape, -1)
            losses = F.binary_cross_entropy_with_logits(model(batch.dense, batch.sparse), batch.labels, reduction="sum")
            optimizer.zero_grad()
            (losses / self.setting.batch).backward()
            table.push(ids.reshape(-1).numpy(), pulled.grad.numpy())
            flat = torch.cat([parameter.grad.reshape(-1) for parameter in dense])
            all_reduce(comm, flat, algorithm="ring")
            for parameter, grad in zip(dense, flat.split([parameter.numel() for parameter in dense])):
                parameter.grad = grad.view_as(parameter).clone()
            optimizer.step()
            table.next_round()
        return table.own, [parameter.detach().numpy() for parameter in dense]

    def score(self, rows: np.ndarray, dense) -> float:
        model = self.model(0, torch.from_numpy(rows))
        with torch.no_grad():
            for parameter, values in zip(model.dense_parameters(), dense):
                parameter.copy_(torch.from_numpy(np.asarray(values)))
            logits = model(self.log.test.dense, self.log.test.sparse)
        return auc(self.log.test.labels, logits)


class _OneIdBags(torch.nn.Module):
    """Rows (B, F·D) of features with one id each: those `given` (B, F, D), or else looked up in rows (R, D)."""

    def __init__(self, first: np.ndarray, rows: torch.Tensor | None):
        super().__init__()
        self.first, self.rows, self.given = torch.from_numpy(first[:-1]), rows, None

    def ids(self, sparse) -> torch.Tensor:
        """(B, F) rows of the one table that all features share."""
        columns = [sparse[name].values for name in sparse.keys]
        return torch.stack(columns, dim=1) + self.first

    def forward(self, sparse):
        rows = self.given if self.rows is None else self.rows[self.ids(sparse)]
        return _Values(rows.flatten(1))


@dataclass(frozen=True)
class _Values:
    """What DLRM reads of a KeyedTensor."""

    values: torch.Tensor


def _criteo() -> ClickLog:
    """Criteo's rows; without them a made log, its features of one id a row."""
    try:
        return criteo_click_log(table_rows=500)
    except MissingData as error:
        log = synthetic_click_log(0, 1600, 400, tables=(500, 400, 300, 200, 100, 50, 5))
        one = log.features[:-1]
        parts = [replace(part, sparse=KeyedJaggedTensor([spec.name for spec in one],
                                                        torch.cat([part.sparse[spec.name].values for spec in one]),
                                                        torch.ones(len(part) * len(one), dtype=torch.int64)))
                 for part in (log.train, log.test)]
        return ClickLog("made clicks", *parts, one, f"{log.note}, without its bag. Not Criteo: {error}")


def _check_batch(task) -> None:
    if task.setting.batch > task.train_rows:
        raise ValueError(f"batch={task.setting.batch}; the training part has {task.train_rows} rows, at most that many")
