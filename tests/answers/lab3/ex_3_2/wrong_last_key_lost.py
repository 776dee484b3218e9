"""Leaves out the last key of each server."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "every key at its owner"
MISCONCEPTION = "3/keys-lost"
LONG = True


def split(keys, owners):
    parts = {int(server): keys[owners == server] for server in np.unique(owners)}
    return {server: part[:-1] if len(part) > 1 else part for server, part in parts.items()}
