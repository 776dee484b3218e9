"""Two square roots."""

BASE = "right_numpy"
REFUSED_BY = "rows of two tables"
MISCONCEPTION = "7/rows-miscounted"
LONG = True


def qr_shapes(R, m):
    return round(R**0.5), round(R**0.5)
