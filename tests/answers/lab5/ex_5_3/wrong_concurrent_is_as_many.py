"""Equally many updates."""

BASE = "right_get"
REFUSED_BY = "concurrent"
MISCONCEPTION = "5/same-sum"
LONG = True


def concurrent(a, b):
    return sum(a.values()) == sum(b.values())
