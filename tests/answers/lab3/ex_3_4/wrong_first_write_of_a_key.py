"""One write for each key."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "writes at every copy"
MISCONCEPTION = "3/duplicates-dropped"


def route_writes(keys, owners, hot, num_servers):
    _, first = np.unique(keys, return_index=True)
    copied = np.isin(keys, hot)
    return {server: [i for i in first.tolist() if copied[i] or owners[i] == server] for server in range(num_servers)}
