"""Jump consistent hashing: only the last server can go."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ring: one goes"
MISCONCEPTION = "3/place-for-name"
LONG = True


def ring_owner(keys, servers, points=128):
    state, place = mixed(keys), np.zeros(len(keys), np.int64)
    for n in range(1, len(servers)):
        state = mixed(state + np.uint64(n))
        place = np.where(state % np.uint64(n + 1) == 0, n, place)
    return np.asarray(servers)[place]
