"""The largest entries."""

BASE = "right_get"
REFUSED_BY = "what is held"
MISCONCEPTION = "5/compares-largest"
LONG = True


def holds(a, b):
    return max(a.values(), default=0) >= max(b.values(), default=0)
