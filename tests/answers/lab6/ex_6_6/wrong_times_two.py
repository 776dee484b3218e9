"""Twice too far."""

import torch

BASE = "right_short"
REFUSED_BY = "how far from it"
MISCONCEPTION = "6/wrong-sigmas"
LONG = True


def sigmas(counts, expected):
    counts = torch.as_tensor(counts, dtype=torch.float64)
    return 2 * float((counts.mean() - expected) / (counts.std() / len(counts) ** 0.5))
