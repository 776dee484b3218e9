"""A letter for every key."""

BASE = "right_cut"
REFUSED_BY = "within one shard"
MISCONCEPTION = "2/several-letters-for-one-shard"
LONG = True


def pieces(bounds, lo, hi):
    return [(s, key, 1) for key in range(lo, hi) for s in range(len(bounds) - 1) if bounds[s] <= key < bounds[s + 1]]
