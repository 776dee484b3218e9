"""The key modulo S."""

import numpy as np

BASE = "right_numpy"
REFUSED_BY = "a hash that is even for any keys"
MISCONCEPTION = "3/modulo-is-no-hash"
LONG = True


def hash_owner(keys, num_servers):
    return np.asarray(keys) % num_servers
