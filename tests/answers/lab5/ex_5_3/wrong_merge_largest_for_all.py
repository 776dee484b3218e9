"""The largest of all entries."""

BASE = "right_get"
REFUSED_BY = "merge"
MISCONCEPTION = "5/wrong-merge"
LONG = True


def merge(a, b):
    return {worker: max([*a.values(), *b.values()]) for worker in set(a) | set(b)}
