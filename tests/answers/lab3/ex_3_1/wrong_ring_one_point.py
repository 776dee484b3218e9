"""One point a server."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ring: no server has too much"
MISCONCEPTION = "3/one-point-a-server"


def ring_owner(keys, servers, points=128):
    at, owners = positions(servers, 1)
    order = np.argsort(at)
    return owners[order][np.searchsorted(at[order], mixed(keys)) % len(at)]
