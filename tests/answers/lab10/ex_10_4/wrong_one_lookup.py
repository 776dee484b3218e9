"""Of one look-up."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/share-of-one-lookup"
LONG = True


def hot_or_tail(freqs, K, n):
    return torch.nonzero(freqs > (K - 1) / K).flatten()
