"""The most frequent ones, held from the start."""

BASE = "right_dict"
REFUSED_BY = "the oracle"
MISCONCEPTION = "7/top-k-is-the-oracle"
LONG = True


def belady_hits(stream, capacity):
    return sum(times for _, times in Counter(stream.tolist()).most_common(capacity))
