"""split names the keys from the end."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "the caller's order"
MISCONCEPTION = "3/wrong-places"
LONG = True


def split(keys, owners):
    return {int(server): keys[owners == server][::-1] for server in np.unique(owners)}
