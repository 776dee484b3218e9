"""Writes to the owner alone."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "writes at every copy"
MISCONCEPTION = "3/one-replica"
LONG = True


def route_writes(keys, owners, hot, num_servers):
    return {server: np.flatnonzero(owners == server) for server in range(num_servers)}
