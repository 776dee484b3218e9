"""Everything goes to the server that holds the first key."""

BASE = "right_cut"
REFUSED_BY = "across shards"
MISCONCEPTION = "2/not-cut-at-shards"
LONG = True


def pieces(bounds, lo, hi):
    return [(s, lo, hi - lo) for s in range(len(bounds) - 1) if bounds[s] <= lo < bounds[s + 1] and lo < hi]
