"""Fractions of the table as floating-point numbers: rows at cuts go astray."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "3/uneven-ranges"
LONG = True


def range_owner(keys, num_rows, num_servers):
    return np.floor(np.asarray(keys) / max(num_rows, 1) * num_servers).astype(np.int64)
