"""The bag of a look-up by bisection in the offsets."""

import torch

LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    B = len(lengths)
    bag = torch.searchsorted(offsets, torch.arange(len(ids)), right=True) - 1
    rows = table[ids]
    if weights is not None:
        rows = rows * weights[:, None]
    out = table.new_zeros(B, table.shape[1]).index_add_(0, bag, rows)
    return out if mode == "sum" else out / torch.where(lengths > 0, lengths, 1).unsqueeze(1)
