"""A variance for a spread."""

import torch

BASE = "right_short"
REFUSED_BY = "how far from it"
MISCONCEPTION = "6/variance-for-spread"
LONG = True


def sigmas(counts, expected):
    counts = torch.as_tensor(counts, dtype=torch.float64)
    return float((counts.mean() - expected) / (counts.var() / len(counts)))
