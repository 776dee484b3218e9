"""h + 1 keys."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "the most read keys"
MISCONCEPTION = "3/how-many-hot"
LONG = True


def hottest(reads, h):
    keys, counts = np.unique(reads, return_counts=True)
    return keys[np.lexsort((keys, -counts))][:h + 1]
