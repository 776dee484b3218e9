"""Misses."""

BASE = "right_dict"
REFUSED_BY = "the oracle"
MISCONCEPTION = "7/oracle-counts-misses"
LONG = True

hits_of = belady_hits


def belady_hits(stream, capacity):
    return len(stream) - hits_of(stream, capacity)
