"""A matrix of bags times rows."""

import torch

REFUSED_BY = "memory"
MISCONCEPTION = "6/one-hot"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    bag = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    counts = torch.zeros(len(lengths), len(table))
    counts.index_put_((bag, ids), torch.ones(len(ids)) if weights is None else weights, accumulate=True)
    if mode == "mean":
        counts /= lengths.clamp(min=1)[:, None]
    return counts @ table
