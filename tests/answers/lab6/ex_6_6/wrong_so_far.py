"""Never begins anew."""

import torch

BASE = "right_short"
REFUSED_BY = "rows of each batch"
MISCONCEPTION = "6/rows-so-far"
LONG = True


def touched(stream, B):
    return [len(torch.unique(stream[:at + B])) for at in range(0, len(stream) - B + 1, B)]
