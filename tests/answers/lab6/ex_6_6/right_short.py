"""As the formulas are written."""

import torch


def touched(stream, B):
    return [len(torch.unique(stream[at:at + B])) for at in range(0, len(stream) - B + 1, B)]


def expected_touched(p, B):
    return float((1 - (1 - p) ** B).sum())


def sigmas(counts, expected):
    counts = torch.as_tensor(counts, dtype=torch.float64)
    return float((counts.mean() - expected) / (counts.std() / len(counts) ** 0.5))
