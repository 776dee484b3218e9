"""Writes to where one would read."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "writes at every copy"
MISCONCEPTION = "3/one-replica"
LONG = True


def route_writes(keys, owners, hot, num_servers):
    servers = route_reads(keys, owners, hot, num_servers)
    return {server: np.flatnonzero(servers == server) for server in range(num_servers)}
