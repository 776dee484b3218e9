"""One entry."""

BASE = "right_get"
REFUSED_BY = "what is held"
MISCONCEPTION = "5/one-entry-decides"
LONG = True


def holds(a, b):
    return not b or any(a.get(worker, 0) >= clock for worker, clock in b.items())
