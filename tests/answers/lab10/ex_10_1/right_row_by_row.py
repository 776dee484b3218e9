"""Each vector with those before it."""

import torch

LONG = True


def dot_interaction(dense, bags):
    v = [dense, *bags.unbind(1)]
    parts = [dense]
    for i in range(1, len(v)):
        before = torch.stack(v[:i], dim=1)
        parts.append(torch.bmm(before, v[i].unsqueeze(2)).squeeze(2))
    return torch.cat(parts, dim=1)
