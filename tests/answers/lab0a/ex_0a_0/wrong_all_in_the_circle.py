"""Everybody who waits."""

BASE = "right_plain"
REFUSED_BY = "the circle in the report"
MISCONCEPTION = "0/everyone-who-waits"


def circle():
    return [0, 1, 2, 3]
