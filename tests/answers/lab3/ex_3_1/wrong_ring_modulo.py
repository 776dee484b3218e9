"""No ring: a hash modulo the number of servers."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ring: one comes"
MISCONCEPTION = "3/modulo-moves-everything"


def ring_owner(keys, servers, points=128):
    return np.asarray(servers)[(mixed(keys) % np.uint64(len(servers))).astype(np.int64)]
