"""Names each key once, sorted, and undoes both at the end."""

import numpy as np


def split(keys, owners):
    once, first = np.unique(keys, return_index=True)
    return {int(server): once[owners[first] == server] for server in np.unique(owners)}


def merge(keys, owners, replies):
    asked = split(keys, owners)
    rows = {int(key): row for server, reply in replies.items() for key, row in zip(asked[server], reply)}
    return np.array([rows[int(key)] for key in keys])
