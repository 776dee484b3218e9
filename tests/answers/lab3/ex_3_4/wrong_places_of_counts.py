"""Returns places in the table of counts."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "the most read keys"
MISCONCEPTION = "3/not-the-load"
LONG = True


def hottest(reads, h):
    _, counts = np.unique(reads, return_counts=True)
    return np.argsort(-counts, kind="stable")[:h]
