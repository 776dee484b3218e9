"""The root of the expectation."""

import torch

BASE = "right_short"
REFUSED_BY = "how far from it"
MISCONCEPTION = "6/poisson-spread"
LONG = True


def sigmas(counts, expected):
    counts = torch.as_tensor(counts, dtype=torch.float64)
    return float((counts.mean() - expected) / ((expected / len(counts)) ** 0.5))
