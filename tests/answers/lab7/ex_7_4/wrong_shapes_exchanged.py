"""Quotients first."""

BASE = "right_numpy"
REFUSED_BY = "rows of two tables"
MISCONCEPTION = "7/shapes-exchanged"
LONG = True


def qr_shapes(R, m):
    return -(-R // m), m
