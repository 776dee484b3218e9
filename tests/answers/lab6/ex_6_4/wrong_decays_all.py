"""Lets all rows decay a little."""

import torch

REFUSED_BY = "the same push again and again"
MISCONCEPTION = "6/untouched-row-moved"
LONG = True


def new_state(R, D):
    return torch.zeros(R)


def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8):
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    n = state[unique] + (g * g).mean(1)
    state[unique] = n
    rows *= 1 - 1e-3 * lr
    rows[unique] -= lr * g / (n.sqrt()[:, None] + eps)
