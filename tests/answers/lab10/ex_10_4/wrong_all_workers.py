"""All workers together."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/batch-of-all-workers"
LONG = True


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** (K * n) > (K - 1) / K).flatten()
