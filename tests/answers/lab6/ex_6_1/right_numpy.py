"""In NumPy: reduceat over the bags that are not empty."""

import numpy as np
import torch

LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    rows = table.numpy()[ids.numpy()]
    if weights is not None:
        rows *= weights.numpy()[:, None]
    starts, lengths = offsets.numpy()[:-1], np.diff(offsets.numpy())
    out, full = np.zeros((len(lengths), table.shape[1]), np.float32), lengths > 0
    if full.any():
        out[full] = np.add.reduceat(rows, starts[full], axis=0)
    if mode == "mean":
        out[full] /= lengths[full, None]
    return torch.from_numpy(out)
