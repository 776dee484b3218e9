"""Divides the sum of squares by D + 1."""

import torch

REFUSED_BY = "the same push again and again"
MISCONCEPTION = "6/wrong-adagrad"
LONG = True


def new_state(R, D):
    return torch.zeros(R)


def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8):
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    n = state[unique] + (g * g).sum(1) / (g.shape[1] + 1)
    state[unique] = n
    rows[unique] -= lr * g / (n.sqrt()[:, None] + eps)
