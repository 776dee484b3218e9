"""Only the first ten servers count."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ring: one comes"
MISCONCEPTION = "3/newcomers-share"
LONG = True


def ring_owner(keys, servers, points=128):
    at, owners = positions(servers[:10], points)
    order = np.argsort(at)
    return owners[order][np.searchsorted(at[order], mixed(keys)) % len(at)]
