"""Arrays: how many updates had been applied before each entry."""

import numpy as np

LONG = True


def staleness(trace):
    is_apply = np.array([what == "apply" for _, what, _, _ in trace])
    before = np.cumsum(is_apply) - is_apply
    read = {(worker, step): before[i] for i, (_, what, worker, step) in enumerate(trace) if what == "read"}
    return np.array([before[i] - read[worker, step] for i, (_, what, worker, step) in enumerate(trace) if
                     what == "apply"])


def mean_staleness(trace):
    who = np.array([worker for _, what, worker, _ in trace if what == "apply"])
    values = staleness(trace)
    return {int(k): float(values[who == k].mean()) for k in np.unique(who)}
