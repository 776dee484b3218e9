"""The others."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/tail-for-hot"
LONG = True


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n <= (K - 1) / K).flatten()
