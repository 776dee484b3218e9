"""Owners of the pieces between all cuts, as an array with a row for each piece."""

import numpy as np

LONG = True


def movement_plan(old, new):
    cuts = np.union1d(old, new)
    before, after = (np.searchsorted(edges, cuts[:-1], side="right") - 1 for edges in (old, new))
    moves = before != after
    return np.stack([before, after, cuts[:-1], cuts[1:]], axis=1)[moves]
