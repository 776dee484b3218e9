"""What a smaller table costs: the same model trained with each way of keeping its rows, bytes and test score of each.

    ratings      r̂ = μ + b_u + b_i + p_u · q_i      rows (b | p) of D columns: users, items       test RMSE
    click log    DLRM                                D columns for every sparse feature            test AUC, log loss

Everything is drawn from the seed, and one thread adds in one order: two runs give the same rows to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pslab.data import ClickLog, RatingData, auc, log_loss, rating_data
from pslab.embedding import CompressedBagCollection, EmbeddingBagConfig, Int4Rows, Int8Rows
from pslab.models import DLRM, rmse

from .table_variants import VARIANTS, TableSpec, plain_table

FULL = "float32"
AFTERWARDS = {"int8, packed after training": Int8Rows, "int4, packed after training": Int4Rows}
NAMES = (FULL, *AFTERWARDS, *VARIANTS)


@dataclass(frozen=True)
class TableEffect:
    """One row of the table: a variant, what its tables take, and what its model is worth on the test part.

    share: of the bytes of float32 tables. scores: {metric: value}. worse_by: {metric: how much worse than float32};
    below 0 where it is better. Bytes are those of rows (and projections); not of an optimizer's state or an index.
    """

    variant: str
    table_bytes: int
    share: float
    scores: dict[str, float]
    worse_by: dict[str, float]


@dataclass(frozen=True)
class TableEffects:
    """rows: one a variant, float32 first. note: the data, and whether they are made."""

    rows: list[TableEffect]
    note: str
    made: bool

    def text(self) -> str:
        """The table, as text."""
        metrics = list(self.rows[0].scores)
        head = f"{'variant':38} {'bytes':>10} {'share':>6}"
        head += "".join(f" {name:>14} {'worse by':>9}" for name in metrics)
        lines = [f"{row.variant:38} {row.table_bytes:10,} {row.share:6.1%}" + "".join(
            f" {row.scores[name]:14.4f} {row.worse_by[name]:+9.4f}" for name in metrics) for row in self.rows]
        return "\n".join([head, *lines, self.note])


def table_effects(data: RatingData | ClickLog | None = None, *, variants: Iterable[str] | None = None, dim: int = 16,
                  epochs: int | None = None, batch: int | None = None, lr: float | None = None,
                  seed: int = 0) -> TableEffects:
    """Train one model per variant and compare.

    data: ratings or a click log; None: MovieLens-100K, split u1, or made ratings where it is not there (`made` and
    `note` say so). variants: some of NAMES; None: all; float32 is always trained. dim: D. epochs: passes over the
    training part, default 4 (ratings) or 1. batch: default 1000 or 512. lr: of AdaGrad, default 0.1 or 0.05.
    ValueError for an unknown variant, or sizes that are none.
    """
    data = rating_data() if data is None else data
    if not isinstance(data, (RatingData, ClickLog)):
        raise ValueError(f"data={data!r}; a RatingData, a ClickLog or None is needed")
    names = list(NAMES if variants is None else variants)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(f"variants hold {unknown[0]!r}; allowed: {', '.join(map(repr, NAMES))}")
    ratings = isinstance(data, RatingData)
    default = (4, 1000, 0.1) if ratings else (1, 512, 0.05)
    epochs, batch, lr = (value if given is None else given for given, value in zip((epochs, batch, lr), default))
    if not isinstance(lr, Real) or not 0 < lr < float("inf"):
        raise ValueError(f"lr={lr!r}; a finite number above 0 is needed")
    for argument, value in (("dim", dim), ("epochs", epochs), ("batch", batch)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{argument}={value!r}; a whole number from 1 is needed")
    job = (_Ratings if ratings else _Clicks)(data, dim, epochs, batch, lr, seed)
    full = job.train(plain_table)
    results = [(FULL, job.bytes(full), job.scores(full))]
    for name in names:
        if name == FULL:
            continue
        model = job.packed(full, AFTERWARDS[name]) if name in AFTERWARDS else job.train(VARIANTS[name])
        results.append((name, job.bytes(model), job.scores(model)))
    _, whole, best = results[0]
    rows = [TableEffect(name, size, size / whole, scores, {metric: _worse(metric, scores[metric], best[metric])
                                                           for metric in scores}) for name, size, scores in results]
    return TableEffects(rows, data.note, job.made)


def _worse(metric: str, score: float, best: float) -> float:
    return float(best - score if metric == "AUC" else score - best)


class _Job:
    """Data, sizes and seeds that all variants share."""

    def __init__(self, data, dim, epochs, batch, lr, seed):
        self.data, self.dim, self.epochs, self.batch, self.lr, self.seed = data, dim, epochs, batch, lr, seed

    def train(self, make) -> nn.Module:
        """The model with tables of one kind, trained."""
        configs, counts = self.tables()
        modules = {config.name: make(TableSpec(config.num_embeddings, self.dim, config.pooling, counts[config.name],
                                               self.lr, self.seed + number))
                   for number, config in enumerate(configs)}
        model = self.model(CompressedBagCollection(configs, modules))
        numbers = list(model.parameters())
        optimizer = torch.optim.Adagrad(numbers, lr=self.lr) if numbers else None
        model.train()
        for part in self.batches():
            model.zero_grad()
            self.loss(model, part).backward()
            if optimizer is not None:
                optimizer.step()
            model.embeddings.step()
        return model.eval()

    def packed(self, model: nn.Module, kind: type) -> nn.Module:
        """A copy of a trained model of plain tables, these packed."""
        configs, _ = self.tables()
        tables = {config.name: kind.from_rows(model.embeddings.tables[config.name].weight, config.pooling)
                  for config in configs}
        copy = self.model(CompressedBagCollection(configs, tables))
        copy.load_state_dict({**copy.state_dict(), **{name: value for name, value in model.state_dict().items()
                                                      if not name.startswith("embeddings.")}})
        return copy.eval()

    def bytes(self, model: nn.Module) -> int:
        return model.embeddings.bytes()


class _Ratings(_Job):
    @property
    def made(self) -> bool:
        return self.data.made

    def tables(self):
        train, sizes = self.data.train, {"users": self.data.users, "items": self.data.items}
        return ([EmbeddingBagConfig(rows, self.dim, name) for name, rows in sizes.items()],
                {name: np.bincount(getattr(train, name), minlength=rows) for name, rows in sizes.items()})

    def model(self, embeddings):
        return _Factorisation(embeddings, float(self.data.train.values.mean()))

    def batches(self):
        for epoch in range(self.epochs):
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.data.train))
            for first in range(0, len(order), self.batch):
                yield self.data.train[order[first:first + self.batch]]

    def loss(self, model, part, reg: float = 0.1):
        """½ Σ (r - r̂)² + ½ λ (|row of u|² + |row of i|²), summed as in pslab.models."""
        guess, rows = model(part.users, part.items)
        miss = torch.from_numpy(part.values) - guess
        return 0.5 * (miss.square().sum() + reg * rows.square().sum())

    @torch.no_grad()
    def scores(self, model):
        test = self.data.test
        return {"test RMSE": rmse(model(test.users, test.items)[0].numpy(), test.values)}


class _Factorisation(nn.Module):
    def __init__(self, embeddings, mean: float):
        super().__init__()
        self.embeddings, self.mean = embeddings, mean

    def forward(self, users, items):
        tables = self.embeddings.tables
        user = tables["users"](torch.from_numpy(users)[:, None])
        item = tables["items"](torch.from_numpy(items)[:, None])
        guess = self.mean + user[:, 0] + item[:, 0] + (user[:, 1:] * item[:, 1:]).sum(dim=1)
        return guess, torch.cat([user, item], dim=1)


class _Clicks(_Job):
    @property
    def made(self) -> bool:
        return self.data.best_auc is not None

    def tables(self):
        sparse = self.data.train.sparse
        return ([EmbeddingBagConfig(spec.num_embeddings, self.dim, spec.name, pooling=spec.pooling)
                 for spec in self.data.features],
                {spec.name: np.bincount(sparse[spec.name].values.numpy(), minlength=spec.num_embeddings)
                 for spec in self.data.features})

    def model(self, embeddings):
        return DLRM(self.data.num_dense, embeddings.configs, bottom=(32, self.dim), top=(32, 1), seed=self.seed,
                    embeddings=embeddings)

    def batches(self):
        steps = self.epochs * (len(self.data.train) // self.batch)
        return self.data.batches(self.batch, self.seed, steps)

    def loss(self, model, part):
        return F.binary_cross_entropy_with_logits(model(part.dense, part.sparse), part.labels)

    @torch.no_grad()
    def scores(self, model):
        test = self.data.test
        logits = model(test.dense, test.sparse).numpy()
        return {"AUC": auc(test.labels.numpy(), logits), "log loss": log_loss(test.labels.numpy(), logits)}
