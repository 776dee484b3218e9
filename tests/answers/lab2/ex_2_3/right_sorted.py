"""Slots beside ascending keys; soft-thresholding by clamp; the old weights are recomputed from z and n."""

import torch


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    D = rows.shape[1]
    unique, inverse = torch.unique(keys, return_inverse=True)
    g = torch.zeros(len(unique), D).index_add_(0, inverse, grads)
    old = state.get("keys", unique[:0])
    every = torch.unique(torch.cat([old, unique]))
    slots = torch.zeros(2, len(every), D)
    slots[:, torch.searchsorted(every, old)] = state.get("slots", torch.zeros(2, 0, D))
    at = torch.searchsorted(every, unique)

    def weights():
        z, n = slots[:, at]
        return -z.sign() * (z.abs() - l1).clamp(min=0) / ((beta + n.sqrt()) / alpha + l2)

    before = weights()
    root = slots[1, at].sqrt()
    slots[1, at] += g * g
    slots[0, at] += g - (slots[1, at].sqrt() - root) / alpha * before
    rows[unique] = weights()
    state.update(keys=every, slots=slots)
