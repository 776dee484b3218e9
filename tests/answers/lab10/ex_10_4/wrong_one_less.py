"""One row less."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/other-rows"
LONG = True


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n > (K - 1) / K).flatten()[1:]
