"""Everything that is ever touched."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/copy-is-free"
LONG = True


def hot_or_tail(freqs, K, n):
    return torch.nonzero(freqs > 0).flatten()
