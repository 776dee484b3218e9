"""Half a ring."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/half-a-ring"
LONG = True


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n > (K - 1) / K / 2).flatten()
