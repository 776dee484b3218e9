"""A sparse tensor of look-ups, coalesced."""

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
    sparse = torch.sparse_coo_tensor(ids[None], each, ((int(ids.max()) if len(ids) else 0) + 1, each.shape[1]))
    sparse = sparse.coalesce()
    return sparse.indices()[0], sparse.values()
