"""The upper triangle, as TorchRec has it, by einsum and a mask."""

import torch

LONG = True


def dot_interaction(dense, bags):
    v = torch.cat([dense[:, None], bags], dim=1)
    n = v.shape[1]
    mask = torch.ones(n, n, dtype=torch.bool).triu(1)
    return torch.cat([dense, torch.einsum("bid,bjd->bij", v, v)[:, mask]], dim=1)
