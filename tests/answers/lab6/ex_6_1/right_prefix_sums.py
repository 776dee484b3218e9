"""Sums up to each look-up, in float64, and their differences at the offsets."""

import torch

LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    rows = table[ids]
    if weights is not None:
        rows = rows * weights.unsqueeze(1)
    D = table.shape[1]
    out = torch.empty(len(offsets) - 1, D, dtype=table.dtype)
    for start in range(0, D, 8):                             # a few columns at a time, for the memory
        before = torch.zeros(len(ids) + 1, min(8, D - start), dtype=torch.float64)
        torch.cumsum(rows[:, start:start + 8].double(), dim=0, out=before[1:])
        out[:, start:start + 8] = before[offsets[1:]] - before[offsets[:-1]]
    if mode == "mean":
        out /= (offsets[1:] - offsets[:-1]).clamp(min=1).unsqueeze(1)
    return out
