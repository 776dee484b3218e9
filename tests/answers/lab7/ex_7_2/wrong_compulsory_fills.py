"""Compulsory is what fills the cache."""

BASE = "right_dict"
REFUSED_BY = "misses split"
MISCONCEPTION = "7/compulsory-fills-the-cache"
LONG = True


def split_misses(stream, capacity):
    cache, ids = LRU(capacity), stream.tolist()
    misses, first = sum(not cache.access(id) for id in ids), len(set(ids))
    return min(first, capacity), misses - min(first, capacity)
