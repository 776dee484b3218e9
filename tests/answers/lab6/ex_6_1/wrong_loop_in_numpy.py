"""A loop over bags that torch sees nothing of."""

import numpy as np
import torch

REFUSED_BY = "no loop over bags"
MISCONCEPTION = "6/loop-over-bags"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    table, ids, offsets = table.numpy(), ids.numpy(), offsets.numpy()
    out = np.zeros((len(offsets) - 1, table.shape[1]), np.float32)
    for b in range(len(offsets) - 1):
        start, end = offsets[b], offsets[b + 1]
        rows = table[ids[start:end]]
        if weights is not None:
            rows = rows * weights.numpy()[start:end, None]
        out[b] = rows.sum(0) / (max(end - start, 1) if mode == "mean" else 1)
    return torch.from_numpy(out)
