"""Matrix factorisation on MovieLens-100K, split u1: pull the rows of the users and items in a batch, push gradients.

    table "users"   943 rows of 1 + k        table "items"   1,682 rows of 1 + k        column 0 is the bias
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pslab.data import RatingData, rating_data
from pslab.models import bias_only, factorisation_step, guesses, rmse
from pslab.ps import AdaGrad, Init, Rule, TableConfig, Uniform

from .example import Example


@dataclass(frozen=True)
class FactorisationExample(Example):
    """factors: k. reg: λ, for every rating. data: from pslab.data.rating_data; None: what is there.

    mean: the constant of the model; None: the mean of the ratings trained on. init: first values of a table of
    width 1 + k; None: factors drawn from the seed, biases 0.
    """

    batch: int = 1000
    epochs: int = 6
    row_s: float = 0.5e-6
    data: RatingData | None = None
    factors: int = 8
    reg: float = 0.1
    rule: Rule = AdaGrad(0.15)
    mean: float | None = None
    init: Init | None = None

    name = "factorisation"
    metric = "test RMSE"
    higher_is_better = False

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.factors, bool) or not isinstance(self.factors, int) or self.factors < 0:
            raise ValueError(f"factors={self.factors!r}; a whole number from 0 is needed")
        if not 0 <= self.reg < float("inf"):
            raise ValueError(f"reg={self.reg!r}; 0 or a finite number above is needed")
        if self.data is None:
            object.__setattr__(self, "data", rating_data())
        if self.mean is None:
            object.__setattr__(self, "mean", float(self.data.train.values.mean()))

    @property
    def train_rows(self) -> int:
        return len(self.data.train)

    def tables(self, consistency):
        init = FactorInit(Uniform(0.1, self.seed)) if self.init is None else self.init
        return [TableConfig(name, 1 + self.factors, rows, self.rule, consistency, init=init)
                for name, rows in (("users", self.data.users), ("items", self.data.items))]

    def parts(self, rank, workers) -> Iterator:
        for rows in self._shuffled_parts(rank, workers):
            yield self.data.train[rows]

    def step(self, kv, part, compute):
        user_keys, user_of = np.unique(part.users, return_inverse=True)
        item_keys, item_of = np.unique(part.items, return_inverse=True)
        asked = kv.pull(user_keys, table="users"), kv.pull(item_keys, table="items")       # both travel at once
        users, items = (np.asarray(kv.wait(timestamp)) for timestamp in asked)
        loss, user_grads, item_grads = factorisation_step(users, items, user_of, item_of, part.values, self.mean,
                                                          self.reg)
        compute()
        kv.push(user_keys, user_grads, table="users")
        kv.push(item_keys, item_grads, table="items")
        return loss

    def score(self, rows):
        test = self.data.test
        return rmse(guesses(rows["users"][test.users], rows["items"][test.items], self.mean), test.values)

    def baselines(self):
        train, test = self.data.train, self.data.test
        mean, of_user, of_item = bias_only(train.users, train.items, train.values, self.data.users, self.data.items)
        return {"biases only": rmse(mean + of_user[test.users] + of_item[test.items], test.values),
                "always the mean": rmse(np.full(len(test), mean), test.values)}


@dataclass(frozen=True)
class FactorInit(Init):
    """Factors as `of` draws them, biases (column 0) zero."""

    of: Init

    def rows(self, keys, dim, table=""):
        rows = self.of.rows(keys, dim, table)
        rows[:, 0] = 0
        return rows
