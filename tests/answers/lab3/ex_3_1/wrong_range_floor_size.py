"""Divides by the rounded-down size: the last rows get a server that is not there."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "3/no-such-server"
LONG = True


def range_owner(keys, num_rows, num_servers):
    return np.asarray(keys) // (num_rows // num_servers)
