"""A letter to every server."""

BASE = "right_cut"
REFUSED_BY = "within one shard"
MISCONCEPTION = "2/empty-piece"
LONG = True


def pieces(bounds, lo, hi):
    found = []
    for server in range(len(bounds) - 1):
        first, end = max(lo, bounds[server]), min(hi, bounds[server + 1])
        found.append((server, first, max(0, end - first)))
    return found
