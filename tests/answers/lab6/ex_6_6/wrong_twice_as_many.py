"""Counts every row twice."""

import torch

BASE = "right_short"
REFUSED_BY = "rows of each batch"
MISCONCEPTION = "6/wrong-touched"
LONG = True


def touched(stream, B):
    return [2 * len(torch.unique(stream[at:at + B])) for at in range(0, len(stream) - B + 1, B)]
