"""One over K."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/one-over-k"
LONG = True


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n > 1 / K).flatten()
