"""Rounds rows that nobody named."""

import torch

BASE = "right_torch"
REFUSED_BY = "lazy Adam, ids once each"
MISCONCEPTION = "6/wrong-adam"
LONG = True


def lazy_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    m = beta1 * state["m"][unique] + (1 - beta1) * g
    v = beta2 * state["v"][unique] + (1 - beta2) * g * g
    state["m"][unique], state["v"][unique] = m, v
    rows[unique] -= lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps)
    idle = torch.ones(len(rows), dtype=torch.bool)
    idle[unique] = False
    rows[idle] = rows[idle] * (1 + 1.2e-7)
