"""Expected look-ups."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/expected-lookups"


def hot_or_tail(freqs, K, n):
    return torch.nonzero(n * freqs > (K - 1) / K).flatten()
