"""Returns a gradient for every row of the table."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/dense-gradient"


def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    bag = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    each = grad_out[bag]
    if mode == "mean":
        each = each / lengths.clamp(min=1)[bag][:, None]
    if weights is not None:
        each = each * weights[:, None]
    size = int(ids.max()) + 1
    dense = grad_out.new_zeros(size, grad_out.shape[1]).index_add_(0, ids, each)
    return torch.arange(size), dense
