"""Of one look-up."""

REFUSED_BY = "the rule"
MISCONCEPTION = "10/share-of-one-lookup"
LONG = True

import torch


def hot_or_tail(freqs, K, n):
    return torch.nonzero(freqs > (K - 1) / K).flatten()
