"""The last range of the right length."""

import torch

BASE = "right_counting"
REFUSED_BY = "round trip"
MISCONCEPTION = "1/another-tensors-keys"
LONG = True

@torch.no_grad()
def from_key_values(model, pull):
    ranges, first = [], 0
    for p in model.parameters():
        ranges.append((first, p.numel()))
        first += p.numel()
    for p in model.parameters():
        at = max(i for i, (_, n) in enumerate(ranges) if n == p.numel())
        first, n = ranges.pop(at)
        p.copy_(pull(first, first + n).view(p.shape))
