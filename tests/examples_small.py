"""Small examples on made data, and plain loops that train the same models."""

from dataclasses import replace
from functools import cache

import numpy as np

from pslab.data import Partition, RatingData, Ratings, digit_data, rating_data, sparse_data
from pslab.examples import FactorisationExample, LogisticExample, MLPExample
from pslab.ps import BSP

load_sparse, load_ratings, load_digits = cache(sparse_data), cache(rating_data), cache(digit_data)


def logistic(rows: int = 600, **changed) -> LogisticExample:
    made = load_sparse("made")
    data = replace(made, train=made.train[:rows], test=made.test[:500], train_rows=rows)
    return LogisticExample(**{"data": data, "batch": 50, "epochs": 2, **changed})


def factorisation(**changed) -> FactorisationExample:
    return FactorisationExample(**{"data": load_ratings("made"), "batch": 2000, "epochs": 1, **changed})


def mlp(**changed) -> MLPExample:
    return MLPExample(**{"data": load_digits("made"), "batch": 200, "epochs": 2, **changed})


SMALL = {"logistic": logistic, "factorisation": factorisation, "mlp": mlp}


def whole_ratings(seed: int = 0) -> RatingData:
    """30 ratings by 7 users of 5 items, whole numbers."""
    rng = np.random.default_rng(seed)
    ratings = Ratings(rng.integers(0, 7, 30), rng.integers(0, 5, 30), rng.integers(1, 6, 30).astype(np.float32))
    return RatingData("whole", ratings, ratings, 7, 5, True, "whole numbers")


def ftrl_by_hand(data, batch: int, epochs: int, alpha: float, beta: float, l1: float, l2: float) -> dict[int, float]:
    """Algorithm 1 of McMahan et al. (2013), coordinate by coordinate, the gradient of a batch summed first."""
    z, n, w = {}, {}, {}
    starts, columns, values, labels = (getattr(data, name).tolist() for name in
                                       ("starts", "columns", "values", "labels"))
    for first in [first for _ in range(epochs) for first in range(0, len(labels), batch)]:
        gradient = {}
        for i in range(first, min(first + batch, len(labels))):
            row = [(0, 1.0), *zip(columns[starts[i]:starts[i + 1]], values[starts[i]:starts[i + 1]])]
            p = 1 / (1 + np.exp(-sum(w.get(j, 0.0) * x for j, x in row)))
            for j, x in row:
                gradient[j] = gradient.get(j, 0.0) + (p - labels[i]) * x
        for j, g in gradient.items():
            before = n.get(j, 0.0)
            sigma = (np.sqrt(before + g * g) - np.sqrt(before)) / alpha
            z[j], n[j] = z.get(j, 0.0) + g - sigma * w.get(j, 0.0), before + g * g
            w[j] = 0.0 if abs(z[j]) <= l1 else -(z[j] - np.sign(z[j]) * l1) / ((beta + np.sqrt(n[j])) / alpha + l2)
    return w


def factorisation_by_hand(example: FactorisationExample, lr: float) -> tuple[np.ndarray, np.ndarray]:
    """(users, items) after plain gradient descent, rating by rating, rows changed at the end of every batch."""
    tables = {table.name: table.initial_rows().astype(np.float64) for table in example.tables(BSP())}
    users, items, data = tables["users"], tables["items"], example.data.train
    for epoch in range(example.epochs):
        order = Partition(len(data), 1, example.seed).order(epoch).tolist()
        for first in range(0, len(order), example.batch):
            user_grads, item_grads = np.zeros_like(users), np.zeros_like(items)
            for row in order[first:first + example.batch]:
                u, i = data.users[row], data.items[row]
                p, q = users[u], items[i]
                miss = data.values[row] - (example.mean + p[0] + q[0] + p[1:] @ q[1:])
                user_grads[u] += example.reg * p - miss * np.concatenate(([1], q[1:]))
                item_grads[i] += example.reg * q - miss * np.concatenate(([1], p[1:]))
            users -= lr * user_grads
            items -= lr * item_grads
    return users, items
