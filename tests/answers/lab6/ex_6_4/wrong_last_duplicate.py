"""Assigns at equal places."""

import torch

REFUSED_BY = "100 pushes, equal ids summed"
MISCONCEPTION = "6/last-duplicate-wins"
LONG = True


def new_state(R, D):
    return torch.zeros(R)


def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8):
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1])
    for at, grad in zip(inverse.tolist(), grads):
        g[at] = grad
    n = state[unique] + (g * g).mean(1)
    state[unique] = n
    rows[unique] -= lr * g / (n.sqrt()[:, None] + eps)
