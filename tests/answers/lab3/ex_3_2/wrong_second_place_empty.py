"""Fills the first place of a key and leaves the others at 0."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "the caller's order"
MISCONCEPTION = "3/duplicates-dropped"
LONG = True


def merge(keys, owners, replies):
    asked = split(keys, owners)
    rows = np.zeros((len(keys), 3))
    places = {}
    for place, key in enumerate(keys.tolist()):
        places.setdefault(key, place)
    for server, reply in replies.items():
        for key, row in zip(asked[server].tolist(), reply):
            rows[places[key]] = row
    return rows
