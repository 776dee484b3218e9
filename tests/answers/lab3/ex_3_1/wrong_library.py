"""The partition of the kit."""

import numpy as np

from pslab.ps import RangePartition

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "all/forbidden"
LONG = True


def range_owner(keys, num_rows, num_servers):
    return RangePartition().bind(num_rows, num_servers).owner(np.asarray(keys))
