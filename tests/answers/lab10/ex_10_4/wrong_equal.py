"""Not less, where more is asked."""

import torch

REFUSED_BY = "at the edges"
MISCONCEPTION = "10/equal-is-hot"


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n >= (K - 1) / K).flatten()
