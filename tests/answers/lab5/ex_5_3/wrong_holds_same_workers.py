"""Only clocks of the same workers."""

BASE = "right_get"
REFUSED_BY = "what is held"
MISCONCEPTION = "5/same-workers-only"
LONG = True


def holds(a, b):
    return set(a) == set(b) and all(a[worker] >= clock for worker, clock in b.items())
