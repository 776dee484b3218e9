"""As if offsets had an entry for each bag only and none for the end: the last bag is missing."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/last-offset"


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    lengths = (offsets[1:] - offsets[:-1])[:-1]
    B = len(lengths)
    ids = ids[:offsets[-2]]
    bag = torch.repeat_interleave(torch.arange(B), lengths)
    rows = table[ids]
    if weights is not None:
        rows = rows * weights[:len(ids), None]
    out = table.new_zeros(B, table.shape[1]).index_add_(0, bag, rows)
    if mode == "mean":
        out = out / lengths.clamp(min=1)[:, None]
    return out
