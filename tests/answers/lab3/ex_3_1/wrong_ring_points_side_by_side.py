"""All points of a server lie next to each other."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ring: no server has too much"
MISCONCEPTION = "3/one-point-a-server"
LONG = True


def positions(servers, points):
    owners = np.repeat(np.asarray(servers), points)
    return mixed(owners + 2**61) + np.tile(np.arange(points), len(servers)).astype(np.uint64), owners
