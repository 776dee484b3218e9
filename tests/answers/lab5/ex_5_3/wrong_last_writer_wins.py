"""One dict over the other."""

BASE = "right_get"
REFUSED_BY = "merge"
MISCONCEPTION = "5/last-writer-wins"


def merge(a, b):
    return {**a, **b}
