"""Divides a worker's sum by the number of all updates."""

BASE = "right_counter"
REFUSED_BY = "the mean of each worker"
MISCONCEPTION = "4/shares-of-the-mean"
LONG = True


def mean_staleness(trace):
    values = staleness(trace)
    sums = {}
    for (_, _, worker, _), value in zip((entry for entry in trace if entry[1] == "apply"), values):
        sums[worker] = sums.get(worker, 0) + value
    return {worker: total / len(values) for worker, total in sums.items()}
