"""A weighted mean in the usual sense."""

import torch

REFUSED_BY = "weights"
MISCONCEPTION = "6/mean-by-weights"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    B = len(lengths)
    bag = torch.repeat_interleave(torch.arange(B), lengths)
    rows = table[ids]
    scale = torch.ones(len(ids)) if weights is None else weights
    rows = rows * scale[:, None]
    out = table.new_zeros(B, table.shape[1]).index_add_(0, bag, rows)
    if mode == "mean":
        total = torch.zeros(B).index_add_(0, bag, scale)
        out = out / torch.where(lengths > 0, total, 1)[:, None]
    return out
