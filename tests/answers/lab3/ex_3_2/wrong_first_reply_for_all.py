"""Fills every place from the first reply."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "the caller's order"
MISCONCEPTION = "3/wrong-rows"
LONG = True


def merge(keys, owners, replies):
    if not replies:
        return np.zeros((0, 3))
    reply = next(iter(replies.values()))
    return reply[np.arange(len(keys)) % len(reply)]
