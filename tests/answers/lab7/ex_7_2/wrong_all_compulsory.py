"""Every miss had to be."""

BASE = "right_dict"
REFUSED_BY = "misses split"
MISCONCEPTION = "7/every-miss-compulsory"
LONG = True


def split_misses(stream, capacity):
    cache, ids = LRU(capacity), stream.tolist()
    misses, first = sum(not cache.access(id) for id in ids), len(set(ids))
    return misses, 0 * first
