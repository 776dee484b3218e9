"""Fills the first row."""

import torch

BASE = "right_counting"
REFUSED_BY = "round trip"
MISCONCEPTION = "1/not-filled"
LONG = True

@torch.no_grad()
def from_key_values(model, pull):
    first = 0
    for p in model.parameters():
        values = pull(first, first + p.numel()).view(p.shape)
        if p.ndim:
            p[0] = values[0]
        else:
            p.copy_(values)
        first += p.numel()
