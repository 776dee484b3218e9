"""Of two equal ones the higher key."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "the most read keys"
MISCONCEPTION = "3/ties-by-chance"
LONG = True


def hottest(reads, h):
    keys, counts = np.unique(reads, return_counts=True)
    return keys[np.lexsort((-keys, -counts))][:h]
