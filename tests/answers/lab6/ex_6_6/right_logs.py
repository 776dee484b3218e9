"""Sorted rows, and logarithms for small shares."""

import torch

LONG = True


def touched(stream, B):
    whole = stream[: len(stream) // B * B].view(-1, B).sort(dim=1).values
    return 1 + (whole[:, 1:] != whole[:, :-1]).sum(1)


def expected_touched(p, B):
    return -torch.expm1(B * torch.log1p(-p.double())).sum()


def sigmas(counts, expected):
    counts = counts.double()
    return (counts.mean() - expected) * len(counts) ** 0.5 / counts.std()
