"""One way of the server."""

REFUSED_BY = "the rule"
MISCONCEPTION = "10/ring-moves-k"
LONG = True

import torch


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n > min(1, 2 * (K - 1) / K)).flatten()
