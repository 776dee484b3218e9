"""Elastic averaging: workers train models of their own, tied to a common centre by a spring.

    every τ steps, each worker i       d_i = α (x_i − x̃)        how far it is from the centre
                                       x_i ← x_i − d_i           it is drawn there
                                       x̃  ← x̃ + Σ d_i           and draws the centre to itself

    K = 2, α = 1/4, x = 8, 0, x̃ = 0:   d = 2, 0    x = 6, 0    x̃ = 2      the sum 8 stays: nothing is lost in between

All workers of an exchange see the same centre x̃, that of before it. Nothing of their steps moves Σ x_i + x̃ but their
gradients. With no gradient the distance between the workers' mean and the centre shrinks by the factor 1 − α(K + 1) an
exchange, which is below 1 in size for 0 < α < 2/(K + 1). Zhang, Choromanska, LeCun, "Deep learning with Elastic
Averaging SGD" (NIPS 2015); here the synchronous form.
"""

from __future__ import annotations

import numpy as np
import torch

from .consistency import EASGD
from .rules import SGD


def elastic_step(locals_: np.ndarray, centre: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """One exchange: (K, P) local parameters and the centre (P,), after it. Pure; in the dtype that is given."""
    pull = alpha * (locals_ - centre)
    return locals_ - pull, centre + pull.sum(axis=0)


def stable_alpha(num_workers: int) -> float:
    """2 / (K + 1): alpha must be above 0 and below this."""
    if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 1:
        raise ValueError(f"num_workers={num_workers!r}; a whole number from 1 is needed")
    return 2 / (num_workers + 1)


class ElasticAverage:
    """One worker's side: its model and the centre, a table with EASGD consistency and the rule SGD(1.0).

        table = TableConfig("centre", dim, R, rule=SGD(1.0), consistency=EASGD(alpha=0.2, every=4))
        average = ElasticAverage(kv, table, rows)          # rows: (R, dim) float32, this worker's model
        for batch in batches:
            rows -= lr * gradient(rows, batch)             # its own step, in place
            average.step()                                 # every fourth time it meets the centre

    One exchange is one round: a pull of the centre, a push of -d (the rule subtracts it), a clock().
    """

    def __init__(self, kv, table, rows: torch.Tensor):
        model = table.consistency
        if not isinstance(model, EASGD):
            raise ValueError(f"table {table.name!r}: its consistency is {model!r}; EASGD(alpha, every) is needed")
        if table.rule != SGD(1.0):
            raise ValueError(f"table {table.name!r}: its rule is {table.rule!r}; SGD(1.0) is needed, which "
                             f"adds what is pushed with a minus")
        if tuple(rows.shape) != (table.num_rows, table.dim) or rows.dtype != torch.float32:
            raise ValueError(f"rows is {rows.dtype}{list(rows.shape)}; table {table.name!r} needs "
                             f"float32[{table.num_rows}, {table.dim}]")
        self.kv, self.table, self.rows, self.model = kv, table, rows, model
        self.steps = self.exchanges = 0

    def step(self) -> bool:
        """The worker made a step of its own; True when it met the centre."""
        self.steps += 1
        if self.steps % self.model.every:
            return False
        self.exchange()
        return True

    @torch.no_grad()
    def exchange(self) -> None:
        """Meet the centre now."""
        keys = range(self.table.num_rows)
        centre = self.kv.wait(self.kv.pull(keys, self.table.name))
        pull = (self.rows - centre).mul_(self.model.alpha)
        self.rows.sub_(pull)
        self.kv.push(keys, pull.neg_(), self.table.name)
        self.kv.clock()
        self.exchanges += 1
