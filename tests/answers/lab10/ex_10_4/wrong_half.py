"""Half, whatever K."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/half-always"


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n > 0.5).flatten()
