"""Whether b holds a."""

BASE = "right_get"
REFUSED_BY = "what is held"
MISCONCEPTION = "5/wrong-way-round"
LONG = True


def holds(a, b):
    return all(b.get(worker, 0) >= clock for worker, clock in a.items())
