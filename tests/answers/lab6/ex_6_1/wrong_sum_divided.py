"""Divides always."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/sum-divided"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    B = len(lengths)
    bag = torch.repeat_interleave(torch.arange(B), lengths)
    rows = table[ids]
    if weights is not None:
        rows = rows * weights[:, None]
    out = table.new_zeros(B, table.shape[1]).index_add_(0, bag, rows)
    out = out / lengths.clamp(min=1)[:, None]
    return out
