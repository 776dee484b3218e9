"""Returns only the values."""

import torch

BASE = "right_sorted"
REFUSED_BY = "the choice"
MISCONCEPTION = "all/bad-value"
LONG = True


def largest(x, k):
    at = torch.sort(x.abs(), descending=True, stable=True).indices[:k]
    return x[at]
