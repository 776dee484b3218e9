"""Keys behind the last point have no owner."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "the same in every process"
MISCONCEPTION = "all/raised"
LONG = True


def ring_owner(keys, servers, points=128):
    at, owners = positions(servers, points)
    order = np.argsort(at)
    return owners[order][np.searchsorted(at[order], mixed(keys))]
