"""1,280 points for all servers together, so that the old ones lose some."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ring: one comes"
MISCONCEPTION = "3/old-servers-swap"
LONG = True


def ring_owner(keys, servers, points=128):
    at, owners = positions(servers, 1280 // len(servers))
    order = np.argsort(at)
    return owners[order][np.searchsorted(at[order], mixed(keys)) % len(at)]
