"""Sorts ascending."""

import torch

BASE = "right_sorted"
REFUSED_BY = "the choice"
MISCONCEPTION = "0B/wrong-choice"
LONG = True


def largest(x, k):
    at = torch.sort(x.abs(), descending=False, stable=True).indices[:k]
    return at.int(), x[at]
