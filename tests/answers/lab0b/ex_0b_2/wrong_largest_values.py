"""Compares the numbers themselves."""

import torch

BASE = "right_sorted"
REFUSED_BY = "the choice"
MISCONCEPTION = "0B/signed-choice"


def largest(x, k):
    at = torch.sort(x, descending=True, stable=True).indices[:k]
    return at.int(), x[at]
