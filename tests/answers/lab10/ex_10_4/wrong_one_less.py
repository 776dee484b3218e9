"""One row less."""

REFUSED_BY = "the rule"
MISCONCEPTION = "10/other-rows"
LONG = True

import torch


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n > (K - 1) / K).flatten()[1:]
