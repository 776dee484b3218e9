"""Sorted, and the order forgotten."""

import torch

REFUSED_BY = "the rule"
MISCONCEPTION = "10/places-for-ids"
LONG = True


def hot_or_tail(freqs, K, n):
    f = freqs.sort(descending=True).values
    return torch.nonzero(1 - (1 - f) ** n > (K - 1) / K).flatten()
