"""Gives nothing back."""

BASE = "right_get"
REFUSED_BY = "merge"
MISCONCEPTION = "all/bad-value"
LONG = True


def merge(a, b):
    for worker, clock in b.items():
        a[worker] = max(a.get(worker, 0), clock)
