"""Deals all reads out, also of keys without copies."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "every read where its key is"
MISCONCEPTION = "3/cold-elsewhere"


def route_reads(keys, owners, hot, num_servers):
    return np.arange(len(keys)) % num_servers
