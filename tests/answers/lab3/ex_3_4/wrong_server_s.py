"""Servers from 1 to S."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "every read where its key is"
MISCONCEPTION = "3/no-such-server"
LONG = True


def route_reads(keys, owners, hot, num_servers):
    servers, copied = np.array(owners), np.isin(keys, hot)
    servers[copied] = np.arange(copied.sum()) % num_servers + 1
    return servers
