"""Matrix factorisation with biases: a row for every user and every item, and a rating is what their product says.

    row of a user u   [ b_u | p_u1 ... p_uk ]        width 1 + k; rows of items alike

    guess    r̂ = μ + b_u + b_i + p_u · q_i           μ: the mean of the ratings trained on
    loss     ½ (r − r̂)² + ½ λ (b_u² + b_i² + |p_u|² + |q_i|²)    for every rating

Its gradient is summed over the ratings of a batch, so that sums of parts add up to the whole; a row that many ratings
touch is held to its λ as many times. Koren, Bell, Volinsky (2009), "Matrix factorization techniques for recommender
systems", equation 5, in batches.
"""

from __future__ import annotations

import numpy as np


def guesses(users: np.ndarray, items: np.ndarray, mean: float) -> np.ndarray:
    """r̂ for n pairs; users and items (n, 1 + k): the row of each pair's user and item."""
    return mean + users[:, 0] + items[:, 0] + np.einsum("nk,nk->n", users[:, 1:], items[:, 1:])


def factorisation_step(users: np.ndarray, items: np.ndarray, user_of: np.ndarray, item_of: np.ndarray,
                       ratings: np.ndarray, mean: float, reg: float) -> tuple[float, np.ndarray, np.ndarray]:
    """(Σ (r − r̂)², gradient for users (u, 1 + k), gradient for items (v, 1 + k)).

    users (u, 1 + k), items (v, 1 + k) float32: the distinct rows of the batch. user_of, item_of (n,): which of them
    each rating belongs to. ratings (n,). reg: λ.
    """
    of_user, of_item = users[user_of], items[item_of]
    miss = (ratings - guesses(of_user, of_item, mean)).astype(np.float32)
    toward_user, toward_item = of_item.copy(), of_user.copy()
    toward_user[:, 0] = toward_item[:, 0] = 1               # what a bias is multiplied with
    user_grads = reg * of_user - miss[:, None] * toward_user
    item_grads = reg * of_item - miss[:, None] * toward_item
    return float(np.dot(miss, miss)), _sums(user_of, user_grads, len(users)), _sums(item_of, item_grads, len(items))


def rmse(guessed: np.ndarray, ratings: np.ndarray, low: float = 1.0, high: float = 5.0) -> float:
    """Root of the mean squared error, guesses cut off at the ends of the scale."""
    return float(np.sqrt(np.mean((np.clip(guessed, low, high) - ratings) ** 2)))


def bias_only(users: np.ndarray, items: np.ndarray, ratings: np.ndarray, num_users: int, num_items: int, *,
              reg: float = 3.0, sweeps: int = 10) -> tuple[float, np.ndarray, np.ndarray]:
    """The baseline r̂ = μ + b_u + b_i, fitted by turns: (μ, b_u (num_users,), b_i (num_items,)).

    reg is added to the number of ratings that a bias is the mean of: a user with few ratings stays near the mean.
    """
    mean, of_user, of_item = float(ratings.mean()), np.zeros(num_users), np.zeros(num_items)
    seen_users, seen_items = np.bincount(users, minlength=num_users), np.bincount(items, minlength=num_items)
    for _ in range(sweeps):
        of_item = np.bincount(items, ratings - mean - of_user[users], num_items) / (reg + seen_items)
        of_user = np.bincount(users, ratings - mean - of_item[items], num_users) / (reg + seen_users)
    return mean, of_user, of_item


def _sums(place: np.ndarray, grads: np.ndarray, rows: int) -> np.ndarray:
    """(rows, d): the gradients of each row added up, in the order in which they stand."""
    order = np.argsort(place, kind="stable")
    first = np.searchsorted(place[order], np.arange(rows))
    return np.add.reduceat(grads[order], first, axis=0)
