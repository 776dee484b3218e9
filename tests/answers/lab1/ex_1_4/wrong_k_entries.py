"""K entries of the trace are a step."""

import numpy as np

BASE = "right_arrays"
REFUSED_BY = "a trace by hand"
MISCONCEPTION = "1/order-is-not-t"


def where_is_w(trace):
    K = len({worker for _, worker, _, _ in trace})
    gaps = [float(np.ptp(np.array([w for *_, w in trace[i:i + K]]), axis=0).max()) for i in range(0, len(trace), K)]
    return [(gap == 0, gap) for gap in gaps]
