"""Returns magnitudes."""

import torch

BASE = "right_sorted"
REFUSED_BY = "the choice"
MISCONCEPTION = "0B/magnitude-sent"
LONG = True


def largest(x, k):
    at = torch.sort(x.abs(), descending=True, stable=True).indices[:k]
    return at.int(), x.abs()[at]
