"""R div m plus one."""

BASE = "right_numpy"
REFUSED_BY = "rows of two tables"
MISCONCEPTION = "7/one-row-too-many"
LONG = True


def qr_shapes(R, m):
    return m, R // m + 1
