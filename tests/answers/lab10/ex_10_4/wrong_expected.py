"""Expected look-ups."""

REFUSED_BY = "the rule"
MISCONCEPTION = "10/expected-lookups"


import torch


def hot_or_tail(freqs, K, n):
    return torch.nonzero(n * freqs > (K - 1) / K).flatten()
