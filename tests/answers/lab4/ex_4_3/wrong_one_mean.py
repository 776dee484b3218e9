"""The mean over all updates for everybody."""

BASE = "right_counter"
REFUSED_BY = "the mean of each worker"
MISCONCEPTION = "4/one-mean-for-all"


def mean_staleness(trace):
    values = staleness(trace)
    return {worker: sum(values) / len(values) for _, _, worker, _ in trace}
