"""Deals rows out in turn."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "3/not-contiguous"
LONG = True


def range_owner(keys, num_rows, num_servers):
    return np.asarray(keys) % num_servers
