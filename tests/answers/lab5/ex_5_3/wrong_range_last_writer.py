"""The range has the clock of the push."""

BASE = "right_get"
REFUSED_BY = "ranges against a clock for each key"
MISCONCEPTION = "5/last-writer-wins"
LONG = True


push_right = push_range


def push_range(ranges, lo, hi, worker, clock):
    return [(a, b, {worker: clock} if lo <= a < hi else held)
            for a, b, held in push_right(ranges, lo, hi, worker, clock)]
