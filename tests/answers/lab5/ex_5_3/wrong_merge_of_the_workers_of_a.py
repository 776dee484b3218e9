"""Forgets workers that a does not have."""

BASE = "right_get"
REFUSED_BY = "merge"
MISCONCEPTION = "5/entry-lost"
LONG = True


def merge(a, b):
    return {worker: max(clock, b.get(worker, 0)) for worker, clock in a.items()}
