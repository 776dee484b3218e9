"""Ids in the order of their first look-up."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/ids-unsorted"
LONG = True


def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    bag = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    each = grad_out[bag]
    if mode == "mean":
        each = each / lengths.clamp(min=1)[bag][:, None]
    if weights is not None:
        each = each * weights[:, None]
    names = list(dict.fromkeys(ids.tolist()))
    place = {one: at for at, one in enumerate(names)}
    inverse = torch.tensor([place[one] for one in ids.tolist()], dtype=torch.int64)
    rows = grad_out.new_zeros(len(names), grad_out.shape[1]).index_add_(0, inverse, each)
    return torch.tensor(names, dtype=torch.int64), rows
