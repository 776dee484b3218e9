"""A shard's end belongs to it."""

BASE = "right_cut"
REFUSED_BY = "within one shard"
MISCONCEPTION = "2/range-past-its-end"


def pieces(bounds, lo, hi):
    found = []
    for server in range(len(bounds) - 1):
        first, end = max(lo, bounds[server]), min(hi, bounds[server + 1] + 1)
        if first < end:
            found.append((server, first, end - first))
    return found
