"""Never looks at the weights."""

import torch

REFUSED_BY = "weights"
MISCONCEPTION = "6/weights-ignored"


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    B = len(lengths)
    bag = torch.repeat_interleave(torch.arange(B), lengths)
    rows = table[ids]
    del weights
    out = table.new_zeros(B, table.shape[1]).index_add_(0, bag, rows)
    if mode == "mean":
        out = out / lengths.clamp(min=1)[:, None]
    return out
