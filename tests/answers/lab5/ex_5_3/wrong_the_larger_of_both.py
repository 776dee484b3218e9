"""The one with more updates."""

BASE = "right_get"
REFUSED_BY = "merge"
MISCONCEPTION = "5/one-of-both"
LONG = True


def merge(a, b):
    return a if sum(a.values()) >= sum(b.values()) else b
