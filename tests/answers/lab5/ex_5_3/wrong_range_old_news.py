"""The entry that came last stays."""

BASE = "right_get"
REFUSED_BY = "ranges against a clock for each key"
MISCONCEPTION = "5/old-news"
LONG = True


push_right = push_range


def push_range(ranges, lo, hi, worker, clock):
    before = {key: held for a, b, held in ranges for key in range(a, b)}
    return [(a, b, {**before[a], worker: clock} if lo <= a < hi else held)
            for a, b, held in push_right(ranges, lo, hi, worker, clock)]
