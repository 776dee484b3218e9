"""Sorts the keys and forgets to sort the owners with them."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "every key at its owner"
MISCONCEPTION = "3/wrong-owner"
LONG = True


def split(keys, owners):
    keys = np.sort(keys)
    return {int(server): keys[owners == server] for server in np.unique(owners)}
