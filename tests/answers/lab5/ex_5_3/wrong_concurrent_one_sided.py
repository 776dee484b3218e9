"""One direction."""

BASE = "right_get"
REFUSED_BY = "concurrent"
MISCONCEPTION = "5/one-sided"
LONG = True


def concurrent(a, b):
    return not holds(a, b)
