"""Counts how often a worker pushed."""

BASE = "right_get"
REFUSED_BY = "ranges against a clock for each key"
MISCONCEPTION = "5/wrong-clock-of-a-key"
LONG = True


push_right = push_range


def push_range(ranges, lo, hi, worker, clock):
    before = {key: held for a, b, held in ranges for key in range(a, b)}
    return [(a, b, {**before[a], worker: before[a].get(worker, 0) + 1} if lo <= a < hi else held)
            for a, b, held in push_right(ranges, lo, hi, worker, clock)]
