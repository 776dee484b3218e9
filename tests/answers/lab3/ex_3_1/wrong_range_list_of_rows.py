"""Writes down the owner of every row of the table."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "3/list-of-all-rows"


def range_owner(keys, num_rows, num_servers):
    pieces = np.array_split(np.arange(num_rows), num_servers)
    owners = np.concatenate([np.full(len(piece), s) for s, piece in enumerate(pieces)])
    return owners[np.asarray(keys)] if len(keys) else np.zeros(0, np.int64)
