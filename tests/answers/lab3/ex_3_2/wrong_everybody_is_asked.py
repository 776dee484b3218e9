"""Asks every server for everything."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "every key at its owner"
MISCONCEPTION = "3/everything-to-everyone"


def split(keys, owners):
    return {int(server): keys for server in np.unique(owners)}
