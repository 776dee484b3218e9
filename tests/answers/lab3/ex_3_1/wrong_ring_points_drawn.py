"""Points drawn anew in every process."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "the same in every process"
MISCONCEPTION = "3/hash-per-process"
LONG = True


drawn = np.random.default_rng()
known = {}


def positions(servers, points):
    owners = np.repeat(np.asarray(servers), points)
    for server in servers:
        if server not in known:
            known[server] = drawn.integers(0, 2**63, points).astype(np.uint64) * np.uint64(2)
    return np.concatenate([known[server] for server in servers]), owners
