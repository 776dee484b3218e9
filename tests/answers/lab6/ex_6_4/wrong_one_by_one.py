"""A step for each occurrence."""

import torch

REFUSED_BY = "100 pushes, equal ids summed"
MISCONCEPTION = "6/duplicates-one-by-one"


def new_state(R, D):
    return torch.zeros(R)


def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8):
    for one, g in zip(ids.tolist(), grads):
        state[one] += (g * g).mean()
        rows[one] -= lr * g / (state[one].sqrt() + eps)
