"""Divides by the reads of a worker."""

BASE = "right_counter"
REFUSED_BY = "the mean of each worker"
MISCONCEPTION = "4/means-miscounted"
LONG = True


def mean_staleness(trace):
    who = [worker for _, what, worker, _ in trace if what == "apply"]
    reads = [worker for _, what, worker, _ in trace if what == "read"]
    sums = dict.fromkeys(who, 0)
    for worker, value in zip(who, staleness(trace)):
        sums[worker] += value
    return {worker: total / (reads.count(worker) + 1) for worker, total in sums.items()}
