"""Writes to the owner and the next one."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "writes at every copy"
MISCONCEPTION = "3/one-replica"
LONG = True


def route_writes(keys, owners, hot, num_servers):
    copied = np.isin(keys, hot)
    return {server: np.flatnonzero((owners == server) | (copied & ((owners + 1) % num_servers == server)))
            for server in range(num_servers)}
