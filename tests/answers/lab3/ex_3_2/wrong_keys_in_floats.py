"""Collects keys in an array of floats."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "every key at its owner"
MISCONCEPTION = "3/keys-as-floats"
LONG = True


def split(keys, owners):
    parts = {}
    for key, server in zip(keys, owners):
        parts[int(server)] = np.append(parts.get(int(server), np.zeros(0)), key)
    return parts
