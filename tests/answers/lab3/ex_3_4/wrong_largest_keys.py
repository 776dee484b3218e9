"""The largest numbers."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "the most read keys"
MISCONCEPTION = "3/not-the-load"


def hottest(reads, h):
    return np.unique(reads)[::-1][:h]
