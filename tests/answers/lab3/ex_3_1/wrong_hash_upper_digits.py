"""Takes the number by its thousands."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "a hash that is even for any keys"
MISCONCEPTION = "3/uneven-hash"
LONG = True


def hash_owner(keys, num_servers):
    return np.asarray(keys) // 1000 % num_servers
