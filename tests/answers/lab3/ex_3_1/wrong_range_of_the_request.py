"""Cuts the request and not the table."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "3/owner-of-a-place"
LONG = True


def range_owner(keys, num_rows, num_servers):
    pieces = np.array_split(np.arange(len(keys)), num_servers)
    return np.concatenate([np.full(len(piece), s) for s, piece in enumerate(pieces)])
