"""Not itself."""

BASE = "right_get"
REFUSED_BY = "what is held"
MISCONCEPTION = "5/not-itself"
LONG = True


def holds(a, b):
    return a != b and all(a.get(worker, 0) >= clock for worker, clock in b.items())
