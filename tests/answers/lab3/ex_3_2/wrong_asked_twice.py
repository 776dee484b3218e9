"""Names every key twice, to be sure."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "messages and bytes"
MISCONCEPTION = "3/asked-twice"


def split(keys, owners):
    return {int(server): np.concatenate([keys[owners == server]] * 2) for server in np.unique(owners)}


def merge(keys, owners, replies):
    rows = np.zeros((len(keys), 3))
    for server, reply in replies.items():
        rows[owners == server] = reply[:len(reply) // 2]
    return rows
