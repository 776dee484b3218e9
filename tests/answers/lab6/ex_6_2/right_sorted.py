"""Sorted ids, and differences of sums where the id changes, in float64."""

import torch

LONG = True


def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    bag = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    each = grad_out[bag]
    if mode == "mean":
        each = each / lengths.clamp(min=1)[bag][:, None]
    if weights is not None:
        each = each * weights[:, None]
    order = torch.argsort(ids, stable=True)
    ids, each = ids[order], each[order]
    last = torch.ones(len(ids), dtype=torch.bool)
    last[:-1] = ids[1:] != ids[:-1]
    sums = torch.cumsum(each.double(), 0)[last]
    rows = torch.diff(sums, dim=0, prepend=sums.new_zeros(1, each.shape[1]))
    return ids[last], rows.to(grad_out.dtype)
