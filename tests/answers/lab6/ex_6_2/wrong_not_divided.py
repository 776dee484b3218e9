"""Forgets that a mean divides."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/gradient-not-divided"


def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    bag = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    each = grad_out[bag]
    del mode
    if weights is not None:
        each = each * weights[:, None]
    unique, inverse = torch.unique(ids, return_inverse=True)
    rows = grad_out.new_zeros(len(unique), grad_out.shape[1]).index_add_(0, inverse, each)
    return unique, rows
