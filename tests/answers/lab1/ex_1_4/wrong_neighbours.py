"""Each worker and the next one."""

import numpy as np

BASE = "right_arrays"
REFUSED_BY = "asynchronous"
MISCONCEPTION = "1/neighbours-only"
LONG = True


def where_is_w(trace):
    found = []
    for step in sorted({t for _, _, t, _ in trace}):
        entries = sorted([worker, w] for _, worker, t, w in trace if t == step)
        v = np.array([w for _, w in entries])
        gap = float(np.abs(np.diff(v, axis=0)).max())
        found.append((bool(gap == 0), gap))
    return found
