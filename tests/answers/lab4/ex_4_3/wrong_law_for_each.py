"""The law of the mean, for each worker."""

BASE = "right_counter"
REFUSED_BY = "the mean of each worker"
MISCONCEPTION = "4/always-k-minus-1"
LONG = True


def mean_staleness(trace):
    workers = {worker for _, _, worker, _ in trace}
    return {worker: len(workers) - 1.0 for worker in workers}
