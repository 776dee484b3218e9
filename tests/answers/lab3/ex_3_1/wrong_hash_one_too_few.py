"""The last server is never used."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "a hash that is even for any keys"
MISCONCEPTION = "3/uneven-hash"
LONG = True


def hash_owner(keys, num_servers):
    return (mixed(keys) % np.uint64(max(num_servers - 1, 1))).astype(np.int64)
