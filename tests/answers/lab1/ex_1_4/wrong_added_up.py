"""Adds up over the numbers."""

import numpy as np

BASE = "right_arrays"
REFUSED_BY = "a trace by hand"
MISCONCEPTION = "1/added-up"
LONG = True


def where_is_w(trace):
    found = []
    for step in sorted({t for _, _, t, _ in trace}):
        entries = sorted([worker, w] for _, worker, t, w in trace if t == step)
        v = np.array([w for _, w in entries])
        gap = float(np.ptp(v, axis=0).sum())
        found.append((bool(gap == 0), gap))
    return found
