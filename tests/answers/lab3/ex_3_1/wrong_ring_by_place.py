"""Points by the place in the list and not by the server's number."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ring: one goes"
MISCONCEPTION = "3/place-for-name"


def ring_owner(keys, servers, points=128):
    at, places = positions(range(len(servers)), points)
    order = np.argsort(at)
    return np.asarray(servers)[places[order][np.searchsorted(at[order], mixed(keys)) % len(at)]]
