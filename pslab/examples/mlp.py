"""A small network on digits: the non-convex case. Every worker pulls all layers and pushes gradients for all of them.

    table "layer 0"   32 rows of 65        table "layer 1"   10 rows of 33        row: a unit's bias and weights

Keys are contiguous, so no list of keys travels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pslab.data import DigitData, Pictures, digit_data
from pslab.models import first_layers, layer_shapes, mlp_scores, mlp_step
from pslab.ps import SGD, Init, Rule, TableConfig

from .example import Example

PIXELS, CLASSES = 64, 10


class Part(NamedTuple):
    """A worker's part of a batch of `of` pictures."""

    pictures: Pictures
    of: int


@dataclass(frozen=True)
class MLPExample(Example):
    """hidden: units of each hidden layer. data: from pslab.data.digit_data; None: what is there."""

    batch: int = 64
    epochs: int = 20
    row_s: float = 1e-6
    data: DigitData | None = None
    hidden: tuple[int, ...] = (32,)
    rule: Rule = SGD(0.5)

    name = "mlp"
    metric = "test accuracy"
    higher_is_better = True

    def __post_init__(self):
        super().__post_init__()
        layer_shapes(self._sizes)
        if self.data is None:
            object.__setattr__(self, "data", digit_data())

    @property
    def train_rows(self) -> int:
        return len(self.data.train)

    def tables(self, consistency):
        layers = first_layers(self._sizes, self.seed)
        return [TableConfig(table, layer.shape[1], len(layer), self.rule, consistency, init=LayerInit(layer))
                for table, layer in zip(self._names, layers)]

    def parts(self, rank, workers) -> Iterator:
        for rows, size in zip(self._shuffled_parts(rank, workers), self.sizes):
            yield Part(self.data.train[rows], size)

    def size_of(self, part):
        return len(part.pictures)

    def step(self, kv, part, compute):
        asked = [kv.pull(range(rows), table=name) for name, (rows, _) in zip(self._names, layer_shapes(self._sizes))]
        layers = [np.asarray(kv.wait(timestamp)) for timestamp in asked]
        loss, grads = mlp_step(layers, part.pictures.pixels, part.pictures.labels, scale=1 / part.of)
        compute()
        for name, grad in zip(self._names, grads):
            kv.push(range(len(grad)), grad, table=name)
        return loss

    def score(self, rows):
        scores = mlp_scores([rows[name] for name in self._names], self.data.test.pixels)
        return float(np.mean(scores.argmax(1) == self.data.test.labels))

    def baselines(self):
        return {"nearest class mean": _nearest_mean(self.data)}

    @property
    def _sizes(self) -> tuple[int, ...]:
        return PIXELS, *self.hidden, CLASSES

    @property
    def _names(self) -> list[str]:
        return [f"layer {number}" for number in range(len(self.hidden) + 1)]


@dataclass(frozen=True)
class LayerInit(Init):
    """First values as given: (rows, width)."""

    values: np.ndarray

    def rows(self, keys, dim, table=""):
        return self.values[keys.start:keys.stop].copy() if isinstance(keys, range) else self.values[keys]


def _nearest_mean(data: DigitData) -> float:
    train, test = data.train, data.test
    means = np.stack([train.pixels[train.labels == digit].mean(0) for digit in range(CLASSES)])
    away = ((test.pixels[:, None] - means) ** 2).sum(2)
    return float(np.mean(away.argmin(1) == test.labels))
