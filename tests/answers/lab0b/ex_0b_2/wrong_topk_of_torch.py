"""Takes the higher places first where magnitudes are equal."""

import torch

BASE = "right_sorted"
REFUSED_BY = "the choice"
MISCONCEPTION = "0B/higher-index"
LONG = True


def largest(x, k):
    at = len(x) - 1 - torch.sort(x.flip(0).abs(), descending=True, stable=True).indices[:k]
    return at.int(), x[at]
