"""Looks at the lower 32 bits only."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "a hash that is even for any keys"
MISCONCEPTION = "3/uneven-hash"


def hash_owner(keys, num_servers):
    return (mixed(np.asarray(keys) & 0xFFFFFFFF) % np.uint64(num_servers)).astype(np.int64)
