"""Calls torch's embedding bag."""

import torch.nn.functional as F

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/library-bag"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    out = F.embedding_bag(ids, table, offsets, per_sample_weights=weights, mode="sum", include_last_offset=True)
    return out / (offsets[1:] - offsets[:-1]).clamp(min=1)[:, None] if mode == "mean" else out
