"""Ids that occur once."""

import torch

BASE = "right_short"
REFUSED_BY = "rows of each batch"
MISCONCEPTION = "6/once-only"
LONG = True


def touched(stream, B):
    parts = [stream[at:at + B] for at in range(0, len(stream) - B + 1, B)]
    return [int((torch.unique(part, return_counts=True)[1] == 1).sum()) for part in parts]
