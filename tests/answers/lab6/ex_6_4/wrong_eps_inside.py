"""eps in the root."""

import torch

REFUSED_BY = "the same push again and again"
MISCONCEPTION = "6/eps-inside-the-root"
LONG = True


def new_state(R, D):
    return torch.zeros(R)


def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8):
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    n = state[unique] + (g * g).mean(1)
    state[unique] = n
    rows[unique] -= lr * g / (n + eps).sqrt()[:, None]
