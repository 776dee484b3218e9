"""A factor alone: its lowest bits are those of the key."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "a hash that is even for any keys"
MISCONCEPTION = "3/uneven-hash"
LONG = True


def hash_owner(keys, num_servers):
    return (np.asarray(keys) * 3_039_394_381 % 2**32 % num_servers).astype(np.int64)
