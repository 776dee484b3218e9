"""As owner and as one of all."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "writes at every copy"
MISCONCEPTION = "3/applied-twice"
LONG = True


def route_writes(keys, owners, hot, num_servers):
    copied = np.flatnonzero(np.isin(keys, hot))
    return {server: np.concatenate([np.flatnonzero(owners == server), copied]) for server in range(num_servers)}
