"""Returns rows in the order of sorted keys."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "the caller's order"
MISCONCEPTION = "3/sorted-order"
LONG = True


def merge(keys, owners, replies):
    rows = {int(key): row for s, reply in replies.items() for key, row in zip(keys[owners == s], reply)}
    return np.array([rows[key] for key in sorted(keys.tolist())])
