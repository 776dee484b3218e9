"""Returns a list, without saying whose they are."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "every key at its owner"
MISCONCEPTION = "all/bad-value"
LONG = True


def split(keys, owners):
    return [keys[owners == server] for server in np.unique(owners)]
