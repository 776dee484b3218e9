"""Pieces share a dict, which is changed."""

BASE = "right_get"
REFUSED_BY = "ranges against a clock for each key"
MISCONCEPTION = "5/shared-clock"


push_right = push_range


def push_range(ranges, lo, hi, worker, clock):
    after = []
    for first, end, held in ranges:
        at = sorted({first, end, min(max(lo, first), end), min(max(hi, first), end)})
        after += [(a, b, held) for a, b in zip(at, at[1:])]
    for a, _, held in after:
        if lo <= a < hi:
            held[worker] = max(held.get(worker, 0), clock)
    return after
