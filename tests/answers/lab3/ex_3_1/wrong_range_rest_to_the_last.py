"""The last server takes all that is left over."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "3/uneven-ranges"
LONG = True


def range_owner(keys, num_rows, num_servers):
    return np.minimum(np.asarray(keys) // max(num_rows // num_servers, 1), num_servers - 1)
