"""Workers that are in both."""

BASE = "right_get"
REFUSED_BY = "merge"
MISCONCEPTION = "5/entry-lost"
LONG = True


def merge(a, b):
    return {worker: max(a[worker], b[worker]) for worker in set(a) & set(b)}
