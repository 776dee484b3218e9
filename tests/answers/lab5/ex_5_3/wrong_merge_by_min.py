"""The smaller entry."""

BASE = "right_get"
REFUSED_BY = "merge"
MISCONCEPTION = "5/merge-by-min"
LONG = True


def merge(a, b):
    return {worker: min(a.get(worker, 0), b.get(worker, 0)) for worker in set(a) | set(b)}
