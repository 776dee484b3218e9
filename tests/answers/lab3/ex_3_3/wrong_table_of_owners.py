"""Compares owners of all rows, as arrays."""

import numpy as np

REFUSED_BY = "a table of 10^12 rows"
MISCONCEPTION = "3/table-of-rows"


def movement_plan(old, new):
    before = np.repeat(np.arange(len(old) - 1), np.diff(old))
    after = np.repeat(np.arange(len(new) - 1), np.diff(new))
    cuts = np.flatnonzero(np.diff(before) | np.diff(after)) + 1
    return [(int(before[a]), int(after[a]), int(a), int(b)) for a, b in zip([0, *cuts], [*cuts, old[-1]])
            if before[a] != after[a]]
