"""Unequal."""

BASE = "right_get"
REFUSED_BY = "concurrent"
MISCONCEPTION = "5/different-is-concurrent"


def concurrent(a, b):
    return a != b
