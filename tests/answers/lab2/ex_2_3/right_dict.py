"""A dict from key to (z, n)."""

import torch

LONG = True


def summed(keys, grads):
    unique, inverse = torch.unique(keys, return_inverse=True)
    return unique, torch.zeros(len(unique), grads.shape[1]).index_add_(0, inverse, grads)


def weight(z, n, alpha, beta, l1, l2):
    return torch.where(z.abs() <= l1, 0.0, -(z - z.sign() * l1) / ((beta + n.sqrt()) / alpha + l2))


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    unique, sums = summed(keys, grads)
    for key, g in zip(unique.tolist(), sums):
        z, n = state.get(key, (torch.zeros_like(g), torch.zeros_like(g)))
        sigma = ((n + g * g).sqrt() - n.sqrt()) / alpha
        z, n = z + g - sigma * rows[key], n + g * g
        state[key] = z, n
        rows[key] = weight(z, n, alpha, beta, l1, l2)
