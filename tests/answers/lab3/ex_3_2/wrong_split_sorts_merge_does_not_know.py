"""split sorts, and merge does not undo it."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "the caller's order"
MISCONCEPTION = "3/wrong-places"
LONG = True


def split(keys, owners):
    return {int(server): np.sort(keys[owners == server]) for server in np.unique(owners)}
