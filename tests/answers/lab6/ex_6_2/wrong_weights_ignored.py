"""Weights only count forwards."""

import torch

REFUSED_BY = "means and weights"
MISCONCEPTION = "6/weights-ignored"


def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    lengths = offsets[1:] - offsets[:-1]
    bag = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    each = grad_out[bag]
    if mode == "mean":
        each = each / lengths.clamp(min=1)[bag][:, None]
    del weights
    unique, inverse = torch.unique(ids, return_inverse=True)
    rows = grad_out.new_zeros(len(unique), grad_out.shape[1]).index_add_(0, inverse, each)
    return unique, rows
