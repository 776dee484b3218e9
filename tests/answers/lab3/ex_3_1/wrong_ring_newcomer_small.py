"""A server that is not among the first ten gets 20 points."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ring: one comes"
MISCONCEPTION = "3/newcomers-share"
LONG = True


def positions(servers, points):
    owners = np.concatenate([np.full(points if s < 10 else 20, s) for s in servers])
    number = np.concatenate([np.arange(points if s < 10 else 20) for s in servers])
    return mixed(owners * 1_000_003 + number + 2**61), owners
