"""Bisection to the left: a bag's first look-up goes to the bag before it."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/bag-of-a-look-up"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    B = len(lengths)
    bag = (torch.searchsorted(offsets, torch.arange(len(ids))) - 1).clamp(min=0)
    rows = table[ids]
    if weights is not None:
        rows = rows * weights[:, None]
    out = table.new_zeros(B, table.shape[1]).index_add_(0, bag, rows)
    if mode == "mean":
        out = out / lengths.clamp(min=1)[:, None]
    return out
