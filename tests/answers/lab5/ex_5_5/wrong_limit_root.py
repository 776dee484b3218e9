"""Falls too slowly."""

BASE = "right_arrays"
REFUSED_BY = "the limit, tried on both sides"
MISCONCEPTION = "5/not-the-limit"
LONG = True


def alpha_limit(K):
    return 2 / (K + 1) ** 0.5
