"""As lists of numbers."""

BASE = "right_get"
REFUSED_BY = "what is held"
MISCONCEPTION = "5/wrong-order"
LONG = True


def holds(a, b):
    return sorted(a.values()) >= sorted(b.values())
