"""Deals out between the owner and server 0."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "the busiest server, Zipf 1.1"
MISCONCEPTION = "3/uneven-reads"
LONG = True


def route_reads(keys, owners, hot, num_servers):
    servers, copied = np.array(owners), np.isin(keys, hot)
    servers[copied & (np.arange(len(keys)) % 2 == 0)] = 0
    return servers
