"""Nearly equal is equal."""

import numpy as np

BASE = "right_arrays"
REFUSED_BY = "asynchronous"
MISCONCEPTION = "1/nearly-is-not-one"
LONG = True


def where_is_w(trace):
    found = []
    for step in sorted({t for _, _, t, _ in trace}):
        entries = sorted([worker, w] for _, worker, t, w in trace if t == step)
        v = np.array([w for _, w in entries])
        gap = float(np.ptp(v, axis=0).max())
        found.append((bool(np.allclose(v, next(w for _, _, t, w in trace if t == step))), gap))
    return found
