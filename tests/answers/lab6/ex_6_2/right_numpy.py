"""np.unique and np.add.at."""

import numpy as np
import torch

LONG = True


def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    g, lengths = grad_out.numpy(), np.diff(offsets.numpy())
    factor = np.ones(len(ids), g.dtype) if weights is None else weights.numpy().copy()
    if mode == "mean":
        factor /= np.repeat(lengths, lengths)
    unique, inverse = np.unique(ids.numpy(), return_inverse=True)
    rows = np.zeros((len(unique), g.shape[1]), g.dtype)
    np.add.at(rows, inverse, g[np.repeat(np.arange(len(lengths)), lengths)] * factor[:, None])
    return torch.from_numpy(unique), torch.from_numpy(rows)
