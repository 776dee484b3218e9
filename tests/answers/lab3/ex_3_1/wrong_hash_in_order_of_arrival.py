"""Keys are dealt out as they come."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "the same in every process"
MISCONCEPTION = "3/owner-of-a-place"
LONG = True


def hash_owner(keys, num_servers):
    return np.arange(len(keys)) % num_servers
