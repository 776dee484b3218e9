"""The oracle evicts what was used least recently."""

BASE = "right_dict"
REFUSED_BY = "the oracle"
MISCONCEPTION = "7/oracle-looks-back"


def belady_hits(stream, capacity):
    cache = LRU(capacity)
    return sum(cache.access(id) for id in stream.tolist())
