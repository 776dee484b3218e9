"""Half of what would be possible."""

BASE = "right_dict"
REFUSED_BY = "the oracle"
MISCONCEPTION = "7/not-the-oracle"
LONG = True

hits_of = belady_hits


def belady_hits(stream, capacity):
    return hits_of(stream, max(1, capacity // 2))
