"""Bags padded to the longest."""

import torch

REFUSED_BY = "memory"
MISCONCEPTION = "6/one-hot"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    at = offsets[:-1, None] + torch.arange(int(lengths.max()) if len(lengths) else 0)
    real = at < offsets[1:, None]
    if not len(ids):
        return torch.zeros(len(lengths), table.shape[1])
    at = at.clamp(max=len(ids) - 1)
    scale = real.float() if weights is None else real * weights[at]
    out = (table[ids[at]] * scale[:, :, None]).sum(1)
    return out / lengths.clamp(min=1)[:, None] if mode == "mean" else out
