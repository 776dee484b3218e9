"""Keeps the last value of each worker."""

BASE = "right_counter"
REFUSED_BY = "the mean of each worker"
MISCONCEPTION = "4/of-the-last-update"
LONG = True


def mean_staleness(trace):
    who = [worker for _, what, worker, _ in trace if what == "apply"]
    return {worker: float(value) for worker, value in zip(who, staleness(trace))}
