"""Solved for the share: (1 − f)^n < 1/K."""

import torch

LONG = True


def hot_or_tail(freqs, K, n):
    missed = 1.0
    for _ in range(n):
        missed = missed * (1 - freqs)
    return [int(i) for i in torch.where(missed * K < 1)[0]]
