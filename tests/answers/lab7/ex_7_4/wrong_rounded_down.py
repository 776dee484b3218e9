"""R div m quotients."""

BASE = "right_numpy"
REFUSED_BY = "rows of two tables"
MISCONCEPTION = "7/quotients-rounded-down"
LONG = True


def qr_shapes(R, m):
    return m, R // m
