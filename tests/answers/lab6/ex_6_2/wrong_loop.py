"""A loop over bags."""

import torch

REFUSED_BY = "no loop over bags"
MISCONCEPTION = "6/loop-over-bags"
LONG = True


def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    unique, inverse = torch.unique(ids, return_inverse=True)
    rows = grad_out.new_zeros(len(unique), grad_out.shape[1])
    for b in range(len(offsets) - 1):
        mine = slice(int(offsets[b]), int(offsets[b + 1]))
        n = len(ids[mine])
        if n:
            each = grad_out[b].expand(n, -1) / (n if mode == "mean" else 1)
            rows.index_add_(0, inverse[mine], each if weights is None else each * weights[mine, None])
    return unique, rows
