"""Sparse logistic regression on a9a: pull the weights of the features in a batch, push their gradients.

    table "weights"   124 rows of width 1      key 0 the bias, key j feature j

Rows are streamed from the file, in its order, as an online learner meets them: every worker reads past the others'.
The rule is FTRL-proximal (McMahan et al. 2013), which runs on the servers and whose L1 keeps weights at exactly 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pslab.data import SparseData, sparse_data
from pslab.models import logistic_accuracy, logistic_step, sparse_batch
from pslab.ps import FTRL, Rule, TableConfig

from .example import Example

TABLE = "weights"


@dataclass(frozen=True)
class LogisticExample(Example):
    """rule: what a gradient does to a weight. data: from pslab.data.sparse_data; None: what is there."""

    batch: int = 256
    epochs: int = 3
    row_s: float = 10e-6
    data: SparseData | None = None
    rule: Rule = FTRL(alpha=0.1, l1=10.0)

    name = "logistic"
    metric = "test accuracy"
    higher_is_better = True

    def __post_init__(self):
        super().__post_init__()
        if self.data is None:
            object.__setattr__(self, "data", sparse_data())

    @property
    def train_rows(self) -> int:
        return self.data.train_rows

    def tables(self, consistency):
        return [TableConfig(TABLE, 1, self.data.features + 1, self.rule, consistency)]

    def parts(self, rank, workers) -> Iterator:
        for _ in range(self.epochs):
            yield from self.data.train.batches(self.batch, rank, workers)

    def step(self, kv, part, compute):
        batch = sparse_batch(part)
        weights = kv.wait(kv.pull(batch.keys, table=TABLE))
        loss, gradient = logistic_step(np.asarray(weights), batch)
        compute()
        kv.push(batch.keys, gradient, table=TABLE)
        return loss

    def score(self, rows):
        return logistic_accuracy(rows[TABLE], self.data.test)

    def baselines(self):
        return {"always the more frequent label": float(max(self.data.test.labels.mean(),
                                                            1 - self.data.test.labels.mean()))}


def l1_path(example: LogisticExample, l1s: Sequence[float], run=None) -> list[dict]:
    """What L1 buys: {l1, nonzero, features, metric} for each strength, other settings alike.

    run: how each is trained, run(example) -> ExampleResult; None: one process. nonzero counts weights without the bias.
    """
    if not isinstance(example.rule, FTRL):
        raise ValueError(f"rule={example.rule!r}; FTRL is needed: other rules know no l1")
    if run is None:
        from .run import run_example

        def run(one):
            return run_example(one, workers=1, servers=0, points=1)
    path = []
    for l1 in l1s:
        result = run(replace(example, rule=replace(example.rule, l1=l1)))
        path.append({"l1": l1, "nonzero": int(np.count_nonzero(result.rows[TABLE][1:])),
                     "features": example.data.features, "metric": result.value})
    return path
