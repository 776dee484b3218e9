"""A remainder of S + 1."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "the same in every process"
MISCONCEPTION = "3/no-such-server"
LONG = True


def hash_owner(keys, num_servers):
    return (mixed(keys) % np.uint64(num_servers + 1)).astype(np.int64)
