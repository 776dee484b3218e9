"""Remembers in a global of the process."""

import torch

REFUSED_BY = "saved and started again"
MISCONCEPTION = "6/state-elsewhere"
LONG = True


SUMS = {}


def new_state(R, D):
    return torch.zeros(0)


def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8):
    sums = SUMS.setdefault(rows.data_ptr(), torch.zeros(len(rows)))
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    sums[unique] += (g * g).mean(1)
    rows[unique] -= lr * g / (sums[unique].sqrt()[:, None] + eps)
