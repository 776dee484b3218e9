"""Adds the rows of duplicates up."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "the caller's order"
MISCONCEPTION = "3/wrong-rows"
LONG = True


def merge(keys, owners, replies):
    rows = np.zeros((len(keys), 3))
    for server, reply in replies.items():
        for key, row in zip(keys[owners == server], reply):
            rows[keys == key] += row
    return rows
