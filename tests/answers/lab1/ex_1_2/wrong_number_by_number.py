"""A pull for each number."""

import torch

BASE = "right_counting"
REFUSED_BY = "round trip"
MISCONCEPTION = "1/too-many-pulls"
LONG = True

@torch.no_grad()
def from_key_values(model, pull):
    first = 0
    for p in model.parameters():
        p.copy_(torch.cat([pull(key, key + 1) for key in range(first, first + p.numel())]).view(p.shape))
        first += p.numel()
