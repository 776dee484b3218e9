"""A shard ends one key early."""

BASE = "right_cut"
REFUSED_BY = "across shards"
MISCONCEPTION = "2/range-end-missing"
LONG = True


def pieces(bounds, lo, hi):
    found = []
    for server in range(len(bounds) - 1):
        more = hi > bounds[server + 1]
        first, end = max(lo, bounds[server]), min(hi, bounds[server + 1] - more)
        if first < end:
            found.append((server, first, end - first))
    return found
