"""With more servers than rows two rows share a server."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "3/more-servers-than-rows"
LONG = True


def range_owner(keys, num_rows, num_servers):
    if num_rows < num_servers:
        return np.asarray(keys) // 2
    size, longer = divmod(num_rows, num_servers)
    begins = [s * size + min(s, longer) for s in range(1, num_servers)]
    return np.searchsorted(begins, keys, side="right")
