"""As if offsets were the beginnings of B + 1 bags."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/last-offset"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    ends = torch.cat([offsets[1:], torch.tensor([len(ids)])])
    lengths = ends - offsets
    B = len(lengths)
    bag = torch.repeat_interleave(torch.arange(B), lengths)
    rows = table[ids]
    if weights is not None:
        rows = rows * weights[:, None]
    out = table.new_zeros(B, table.shape[1]).index_add_(0, bag, rows)
    if mode == "mean":
        out = out / lengths.clamp(min=1)[:, None]
    return out
