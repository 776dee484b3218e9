"""A dictionary from key to place remembers the last place."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "the caller's order"
MISCONCEPTION = "3/duplicates-dropped"
LONG = True


def merge(keys, owners, replies):
    place = {int(key): i for i, key in enumerate(keys)}
    rows = np.zeros((len(keys), 3))
    for server, reply in replies.items():
        for key, row in zip(keys[owners == server].tolist(), reply):
            rows[place[key]] = row
    return rows
