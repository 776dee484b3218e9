"""A row at a cut goes to the server before."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "3/range-off-by-one"
LONG = True


def range_owner(keys, num_rows, num_servers):
    size, longer = divmod(num_rows, num_servers)
    begins = [s * size + min(s, longer) for s in range(1, num_servers)]
    return np.searchsorted(begins, keys, side="left")
