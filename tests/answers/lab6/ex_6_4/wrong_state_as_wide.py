"""Right, with a copy of the number for each column."""

import torch

REFUSED_BY = "one number a row"
MISCONCEPTION = "6/state-as-wide-as-the-row"
LONG = True


def new_state(R, D):
    return torch.zeros(R, D)


def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8):
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    n = state[unique][:, 0] + (g * g).mean(1)
    state[unique] = n[:, None].expand(-1, rows.shape[1])
    rows[unique] -= lr * g / (n.sqrt()[:, None] + eps)
