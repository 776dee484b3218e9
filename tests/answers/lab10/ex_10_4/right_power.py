"""The formula as it stands."""

import torch


def hot_or_tail(freqs, K, n):
    return torch.nonzero(1 - (1 - freqs) ** n > (K - 1) / K).flatten()
