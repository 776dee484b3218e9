"""Two tables alike."""

BASE = "right_numpy"
REFUSED_BY = "rows of two tables"
MISCONCEPTION = "7/two-tables-of-m"
LONG = True


def qr_shapes(R, m):
    return m, m
