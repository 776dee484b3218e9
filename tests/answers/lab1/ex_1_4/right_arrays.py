"""Arrays of copies."""

import numpy as np


def where_is_w(trace):
    copies = {}
    for _, _, t, w in trace:
        copies.setdefault(t, []).append(w)
    spread = [float(np.ptp(np.array(copies[t]), axis=0).max()) for t in sorted(copies)]
    return [(gap == 0, gap) for gap in spread]
