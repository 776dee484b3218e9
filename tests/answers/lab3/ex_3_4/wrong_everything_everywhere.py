"""All writes to all servers."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "writes at every copy"
MISCONCEPTION = "3/cold-everywhere"
LONG = True


def route_writes(keys, owners, hot, num_servers):
    return {server: np.arange(len(keys)) for server in range(num_servers)}
