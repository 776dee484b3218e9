"""Lets torch's bag run backwards."""

import torch
import torch.nn.functional as F

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/library-bag"
LONG = True


def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    unique, inverse = torch.unique(ids, return_inverse=True)
    table = grad_out.new_zeros(len(unique), grad_out.shape[1]).requires_grad_()
    out = F.embedding_bag(inverse, table, offsets, per_sample_weights=weights, mode="sum", include_last_offset=True)
    if mode == "mean":
        out = out / (offsets[1:] - offsets[:-1]).clamp(min=1)[:, None]
    out.backward(grad_out)
    return unique, table.grad
