"""A clock for each key of the push."""

BASE = "right_get"
REFUSED_BY = "ranges against a clock for each key"
MISCONCEPTION = "5/too-many-ranges"
LONG = True


def push_range(ranges, lo, hi, worker, clock):
    after = []
    for first, end, held in ranges:
        if first < min(end, lo):
            after.append((first, min(end, lo), held))
        after += [(key, key + 1, merge(held, {worker: clock})) for key in range(max(first, lo), min(end, hi))]
        if max(first, hi) < end:
            after.append((max(first, hi), end, held))
    return after
