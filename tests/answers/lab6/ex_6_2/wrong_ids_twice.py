"""A row for each look-up."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/ids-twice"
LONG = True


def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    bag = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    each = grad_out[bag]
    if mode == "mean":
        each = each / lengths.clamp(min=1)[bag][:, None]
    if weights is not None:
        each = each * weights[:, None]
    order = torch.argsort(ids)
    return ids[order], each[order]
