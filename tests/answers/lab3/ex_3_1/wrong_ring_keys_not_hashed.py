"""Puts the keys onto the ring as they are."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ring: no server has too much"
MISCONCEPTION = "3/keys-not-hashed"
LONG = True


def ring_owner(keys, servers, points=128):
    at, owners = positions(servers, points)
    order = np.argsort(at)
    return owners[order][np.searchsorted(at[order], np.asarray(keys).astype(np.uint64)) % len(at)]
