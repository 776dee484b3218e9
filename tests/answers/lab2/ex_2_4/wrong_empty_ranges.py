"""Asks for nothing where a range is empty."""

BASE = "right_cut"
REFUSED_BY = "odd shards and empty ranges"
MISCONCEPTION = "2/empty-piece"
LONG = True


def pieces(bounds, lo, hi):
    found = []
    for server in range(len(bounds) - 1):
        first, end = max(lo, bounds[server]), min(hi, bounds[server + 1])
        if first <= end and (first < end or (lo == hi and bounds[server] < bounds[server + 1])):
            found.append((server, first, end - first))
    return found
