"""Everything that is ever touched."""

REFUSED_BY = "the rule"
MISCONCEPTION = "10/copy-is-free"
LONG = True

import torch


def hot_or_tail(freqs, K, n):
    return torch.nonzero(freqs > 0).flatten()
