"""Compares neighbours."""

import torch

BASE = "right_short"
REFUSED_BY = "rows of each batch"
MISCONCEPTION = "6/neighbours-only"
LONG = True


def touched(stream, B):
    return [len(torch.unique_consecutive(stream[at:at + B])) for at in range(0, len(stream) - B + 1, B)]
