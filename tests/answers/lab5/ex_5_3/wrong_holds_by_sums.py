"""How many updates."""

BASE = "right_get"
REFUSED_BY = "what is held"
MISCONCEPTION = "5/compares-sums"
LONG = True


def holds(a, b):
    return sum(a.values()) >= sum(b.values())
