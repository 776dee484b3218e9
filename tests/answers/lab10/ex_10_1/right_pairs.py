"""Both members of each pair picked, multiplied, and summed."""

import torch

LONG = True


def dot_interaction(dense, bags):
    v = torch.cat([dense[:, None], bags], dim=1)
    first = [i for i in range(v.shape[1]) for j in range(i)]
    second = [j for i in range(v.shape[1]) for j in range(i)]
    return torch.cat([dense, (v[:, first] * v[:, second]).sum(2)], dim=1)
