"""Gives each server an equal piece of the request."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "every key at its owner"
MISCONCEPTION = "3/wrong-owner"
LONG = True


def split(keys, owners):
    servers = np.unique(owners)
    return {int(s): piece for s, piece in zip(servers, np.array_split(keys, max(len(servers), 1)))}
