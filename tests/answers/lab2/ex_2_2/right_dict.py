"""A dict from key to its sum."""

import torch


def summed(keys, grads):
    unique, inverse = torch.unique(keys, return_inverse=True)
    return unique, torch.zeros(len(unique), grads.shape[1]).index_add_(0, inverse, grads)


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, g = summed(keys, grads)
    for key, one in zip(unique.tolist(), g):
        state[key] = state.get(key, torch.zeros_like(one)) + one * one
        rows[key] -= lr * one / (state[key].sqrt() + eps)
