"""Keeps pieces without keys."""

BASE = "right_get"
REFUSED_BY = "ranges against a clock for each key"
MISCONCEPTION = "5/ranges-do-not-meet"
LONG = True


def push_range(ranges, lo, hi, worker, clock):
    after = []
    for first, end, held in ranges:
        lower, upper = min(max(lo, first), end), min(max(hi, first), end)
        after += [(first, lower, held), (lower, upper, merge(held, {worker: clock})), (upper, end, held)]
    return after
