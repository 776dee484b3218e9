"""reduceat on all bags."""

import numpy as np
import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/empty-bag-borrows"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    rows = table.numpy()[ids.numpy()]
    if weights is not None:
        rows = rows * weights.numpy()[:, None]
    if not len(rows):
        return torch.zeros(len(offsets) - 1, table.shape[1])
    out = np.add.reduceat(rows, np.minimum(offsets.numpy()[:-1], len(rows) - 1), axis=0)
    if mode == "mean":
        out /= np.maximum(np.diff(offsets.numpy()), 1)[:, None]
    return torch.from_numpy(out)
