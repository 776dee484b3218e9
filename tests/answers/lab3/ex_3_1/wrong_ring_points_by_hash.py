"""Points of the ring by hash() of a name."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "the same in every process"
MISCONCEPTION = "3/hash-per-process"
LONG = True


def positions(servers, points):
    owners = [server for server in servers for _ in range(points)]
    at = [hash(f"server {server}, point {i}") % 2**62 * 4 for server in servers for i in range(points)]
    return np.array(at, dtype=np.uint64), np.array(owners)
