"""Deals out keys: the i-th hot key to server i mod S."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "the busiest server, Zipf 1.1"
MISCONCEPTION = "3/keys-for-load"


def route_reads(keys, owners, hot, num_servers):
    servers = np.array(owners)
    for i, key in enumerate(hot):
        servers[keys == key] = i % num_servers
    return servers
