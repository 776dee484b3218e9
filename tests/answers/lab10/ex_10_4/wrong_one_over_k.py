"""One over K."""

REFUSED_BY = "the rule"
MISCONCEPTION = "10/one-over-k"
LONG = True

import torch


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n > 1 / K).flatten()
