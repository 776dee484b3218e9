"""The largest mean; the share of its steps that are slow."""

import numpy as np

LONG = True


def who_was_slow(trace):
    lines = np.array(trace)
    seconds, who = lines[:, 3] - lines[:, 2], lines[:, 0]
    workers = np.unique(who)
    slow = workers[np.argmax([seconds[who == worker].mean() for worker in workers])]
    share = np.mean(seconds[who == slow] > 1.3 * np.median(seconds[who != slow]))
    return int(slow), ("transient", "persistent")[int(share > 0.5)]
