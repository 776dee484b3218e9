"""Not less, where more is asked."""

REFUSED_BY = "at the edges"
MISCONCEPTION = "10/equal-is-hot"


import torch


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n >= (K - 1) / K).flatten()
