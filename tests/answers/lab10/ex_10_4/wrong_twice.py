"""The hottest one again."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/listed-twice"
LONG = True


def hot_or_tail(freqs, K, n):
    hot = torch.nonzero(1 - (1 - freqs) ** n > (K - 1) / K).flatten()
    return torch.cat([hot, hot[:1]])
