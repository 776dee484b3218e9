"""Points depend on how many servers there are."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ring: one comes"
MISCONCEPTION = "3/modulo-moves-everything"
LONG = True


def positions(servers, points):
    owners = np.repeat(np.asarray(servers), points)
    salt = 1_000_003 * len(servers)
    return mixed(owners * salt + np.tile(np.arange(points), len(servers)) + 2**61), owners
