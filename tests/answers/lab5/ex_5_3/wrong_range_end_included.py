"""hi is in the range."""

BASE = "right_get"
REFUSED_BY = "ranges against a clock for each key"
MISCONCEPTION = "5/range-ends"
LONG = True


push_right = push_range


def push_range(ranges, lo, hi, worker, clock):
    return push_right(ranges, lo, min(hi + 1, ranges[-1][1]), worker, clock)
