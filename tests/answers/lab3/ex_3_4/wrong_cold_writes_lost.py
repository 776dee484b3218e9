"""Only writes to keys with copies."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "writes at every copy"
MISCONCEPTION = "3/write-lost"
LONG = True


def route_writes(keys, owners, hot, num_servers):
    return {server: np.flatnonzero(np.isin(keys, hot)) for server in range(num_servers)}
