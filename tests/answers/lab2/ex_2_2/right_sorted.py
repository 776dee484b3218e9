"""Two tensors: ascending keys and their sums."""

import torch

LONG = True


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, inverse = torch.unique(keys, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1])
    g.index_add_(0, inverse, grads)
    old, n = state.get("keys", unique[:0]), state.get("n", g[:0])
    every = torch.unique(torch.cat([old, unique]))
    table = torch.zeros(len(every), rows.shape[1])
    table[torch.searchsorted(every, old)] = n
    at = torch.searchsorted(every, unique)
    table[at] += g.square()
    rows[unique] -= lr * g / (table[at].sqrt() + eps)
    state["keys"], state["n"] = every, table
