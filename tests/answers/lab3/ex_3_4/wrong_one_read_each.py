"""Answers each key once."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "every read where its key is"
MISCONCEPTION = "all/bad-value"
LONG = True


def route_reads(keys, owners, hot, num_servers):
    keys, first = np.unique(keys, return_index=True)
    return np.where(np.isin(keys, hot), np.arange(len(keys)) % num_servers, owners[first])
