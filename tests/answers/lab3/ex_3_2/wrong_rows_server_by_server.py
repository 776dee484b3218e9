"""Puts the replies one behind the other."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "the caller's order"
MISCONCEPTION = "3/order-of-the-servers"
LONG = True


def merge(keys, owners, replies):
    return np.concatenate([replies[server] for server in sorted(replies)]) if replies else np.zeros((0, 3))
