"""Each hot key to the server of its number modulo S."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "the busiest server, Zipf 1.1"
MISCONCEPTION = "3/keys-for-load"
LONG = True


def route_reads(keys, owners, hot, num_servers):
    return np.where(np.isin(keys, hot), keys % num_servers, owners)
