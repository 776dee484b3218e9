"""Squares each occurrence."""

import torch

REFUSED_BY = "100 pushes, equal ids summed"
MISCONCEPTION = "6/squares-before-the-sum"
LONG = True


def new_state(R, D):
    return torch.zeros(R)


def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8):
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    n = state[unique].index_add(0, inverse, (grads * grads).mean(1))
    state[unique] = n
    rows[unique] -= lr * g / (n.sqrt()[:, None] + eps)
